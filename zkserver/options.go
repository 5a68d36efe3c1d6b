package zkserver

import (
	"log/slog"
	"time"
)

// Options configure a server. The zero value is usable.
type Options struct {
	// TickTime is the length of an expiry bucket, 2 s by default.
	TickTime time.Duration
	// MinSession and MaxSession bound session timeouts: 2 and 20 ticks by default.
	MinSession, MaxSession time.Duration
	// MaxBuffer is jute.maxbuffer, 1 MiB - 1 by default. A longer request closes its connection.
	MaxBuffer int
	// ContainerCheck is how often empty containers are removed, one minute by default.
	ContainerCheck time.Duration
	// Log is told of sessions that begin and end, and of connections that are closed; nil is silent.
	Log *slog.Logger
	// SnapshotFile is read by New, if it exists, and written by Snapshot and Close.
	SnapshotFile string
	// OnTxn is called for each transaction, in order, by the goroutine that owns the state: it must not wait for
	// anything that waits for the server, and must not change what it is given.
	OnTxn func(*Txn)
}

func (o Options) withDefaults() Options {
	if o.TickTime <= 0 {
		o.TickTime = 2 * time.Second
	}
	if o.MinSession <= 0 {
		o.MinSession = 2 * o.TickTime
	}
	if o.MaxSession <= 0 {
		o.MaxSession = 20 * o.TickTime
	}
	if o.MaxBuffer <= 0 {
		o.MaxBuffer = 1<<20 - 1
	}
	if o.ContainerCheck <= 0 {
		o.ContainerCheck = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
