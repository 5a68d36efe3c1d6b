package main

import (
	"context"
	"sync"
	"time"

	"baton/e2e/history"
	"baton/e2e/kafka"
	"baton/jute"
	"baton/zkserver"
)

// feed tells apply each transaction of a real ZooKeeper, from its transaction log, which misses nothing: first what is
// there, then, until stop, what comes.
func feed(env kafka.Env, k *kafka.Cluster, apply func(*zkserver.Txn)) (stop func(), err error) {
	last, err := catchUp(k, 0, apply)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond) // a file has no watch
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				var err error
				if last, err = catchUp(k, last, apply); err != nil {
					env.Logf("reading ZooKeeper's transaction log: %v", err)
					return // what the world waits for will not come, and it says so
				}
			}
		}
	})
	return func() { cancel(); reading.Wait() }, nil
}

// catchUp applies what came after a zxid and returns the newest one.
func catchUp(k *kafka.Cluster, last int64, apply func(*zkserver.Txn)) (int64, error) {
	h, err := history.Read(k)
	if err != nil {
		return last, err
	}
	var x *zkserver.Txn
	for _, c := range h.Changes {
		if c.Zxid <= last {
			continue
		}
		if x != nil && x.Zxid != c.Zxid {
			apply(x)
			last, x = x.Zxid, nil
		}
		if x == nil {
			x = &zkserver.Txn{Zxid: c.Zxid, Time: c.Time.UnixMilli(), Session: c.Session}
		}
		x.Changes = append(x.Changes, change(c))
	}
	if x != nil {
		apply(x)
		last = x.Zxid
	}
	return last, nil
}

func change(c history.Change) zkserver.Change {
	out := zkserver.Change{Path: c.Path, Data: c.Data, Version: c.Version}
	switch c.Op {
	case history.Create:
		out.Op = jute.OpCreate
		if c.Ephemeral {
			out.Owner = c.Session
		}
	case history.Set:
		out.Op = jute.OpSetData
	case history.Delete:
		out.Op = jute.OpDelete
	}
	return out
}
