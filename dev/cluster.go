package dev

import (
	"context"
	"time"

	"baton/zkserver"
)

// Cluster is what Batons are put beside: a ZooKeeper and brokers, with ids from 1. Where not told otherwise it is simulated
// (simulated.go); e2e/demo has one of real Kafka.
type Cluster struct {
	Text      string   // what it is
	ZooKeeper string   // its address
	Brokers   []Broker // they run
	Baton     string   // settings of a Baton beside it: listeners, protocol versions
	// Session is zookeeper.session.timeout.ms of the brokers, and of Batons.
	Session time.Duration
	// OwnController: a broker holds the role to begin with, and takes it back. Simulated ones have no controller.
	OwnController bool
	// CutOff says from whom Broker.Cut separates.
	CutOff string
	Close  func()
}

// Broker is a broker that can be broken; *simbroker.Broker says what each method does.
type Broker interface {
	ID() int32
	Addr() string // for clients
	// Start starts it again, after Kill or Stop, and returns when it is registered.
	Start(ctx context.Context) error
	Kill() error // a paused one, too
	Stop(ctx context.Context) (clean bool, err error)
	Pause() error
	Resume() error
	// Cut separates it from the others of the cluster, or undoes it, as far as Site.Net does not.
	Cut(off bool) error
}

// Site is what a Cluster is given.
type Site struct {
	Options
	Net *Net // whose hosts are brokerHost, zooKeeperHost and the Batons
	// Apply is told each of ZooKeeper's transactions, in order.
	Apply func(*zkserver.Txn)
	// LeadersWriteISR has to be called if leaders write their ISRs themselves, as before AlterPartition (2.7).
	LeadersWriteISR func()
}
