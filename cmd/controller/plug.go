package main

import "baton/check"

// The two constructors below are all that joins this command to the packages that do the work.
var (
	// newRealNode makes the node that `run` runs.
	newRealNode newNode // = func(p parts) (node, error) { return controller.NewNode(…) }
	// realConnect opens the read-only ZooKeeper session of `check` and of `status` without a running Baton.
	realConnect check.Connect // = func(ctx, c) (check.Reader, error) { return zkstore.Connect(…) }
)
