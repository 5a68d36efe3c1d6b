package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"baton/dev"
	"baton/e2e/kafka"
)

// session of brokers and Batons: the brokers' default up to Kafka 2.4. Java on a busy laptop needs some.
const session = 6 * time.Second

// start brings up a ZooKeeper and brokers that live until env ends. Each broker has proxies before ZooKeeper and before the
// listener for its like, to be cut off by.
func start(ctx context.Context, env *kafka.Run, version string, s dev.Site) (*dev.Cluster, error) {
	zk, err := kafka.StartZooKeeper(ctx, env, kafka.ZooKeeperOptions{Version: version})
	if err != nil {
		return nil, err
	}
	server := zk.Servers[0]
	_, port, _ := strings.Cut(server.Addr(), ":")
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	proxies := map[int]*kafka.TCPProxy{}
	for id := 1; id <= s.Brokers; id++ {
		if proxies[id], err = kafka.NewZooKeeperProxy(env, server.Addr()); err != nil {
			return nil, err
		}
	}
	k, err := kafka.New(ctx, env, kafka.Options{Version: version, Brokers: s.Brokers, TwoListeners: true, Proxies: []string{kafka.Internal},
		BrokerSession:     session,
		ExternalZooKeeper: &kafka.External{Port: number, DataDir: filepath.Dir(server.TxnLogDir())},
		PerBroker:         func(id int) map[string]string { return map[string]string{"zookeeper.connect": proxies[id].Addr()} },
	})
	if err != nil {
		return nil, err
	}
	if before(version, 2, 7) { // since then leaders ask the controller for each change of an ISR
		s.LeadersWriteISR()
	}
	stopFeed, err := feed(env, k, s.Apply)
	if err != nil {
		return nil, err
	}
	c := &dev.Cluster{Text: fmt.Sprintf("a real ZooKeeper and %d brokers of Kafka %s", s.Brokers, version), ZooKeeper: server.Addr(), Session: session,
		OwnController: true, Baton: batonSettings(version), Close: stopFeed,
		CutOff: "from ZooKeeper, and the other brokers and the Batons do not reach it"}
	for _, b := range k.Brokers {
		c.Brokers = append(c.Brokers, broker{b, proxies[b.ID()]})
	}
	return c, nil
}

func batonSettings(version string) string {
	return fmt.Sprintf("listeners=%[1]s://127.0.0.1:0,%[2]s://127.0.0.1:0\nlistener.security.protocol.map=%[1]s:PLAINTEXT,%[2]s:PLAINTEXT\n"+
		"inter.broker.listener.name=%[2]s\ninter.broker.protocol.version=%[3]s\n", kafka.Client, kafka.Internal, protocol(version))
}

// protocol is the inter.broker.protocol.version of brokers that are not told another one.
func protocol(version string) string { return version[:strings.LastIndexByte(version, '.')] }

// before: the version is older than major.minor.
func before(version string, major, minor int) bool {
	var have, sub int
	_, err := fmt.Sscanf(version, "%d.%d", &have, &sub)
	return err == nil && (have < major || have == major && sub < minor)
}

// broker is a real one as dev breaks it.
type broker struct {
	k  *kafka.Broker
	zk *kafka.TCPProxy // its own way to ZooKeeper
}

func (b broker) ID() int32 { return int32(b.k.ID()) }

func (b broker) Addr() string { return b.k.Addr(kafka.Client) }

// Start waits for the end of the last life's session first: Kafka gives up if it finds that registration.
func (b broker) Start(ctx context.Context) error {
	if err := b.k.WaitGone(ctx); err != nil {
		return err
	}
	return b.k.Restart(ctx)
}

func (b broker) Kill() error { return b.k.Kill() }

func (b broker) Pause() error { return b.k.Pause() }

func (b broker) Resume() error { return b.k.Resume() }

// Stop looks into the broker's log for what the controller said to its leave.
func (b broker) Stop(ctx context.Context) (clean bool, err error) {
	earlier, err := b.leaves()
	if err != nil {
		return false, err
	}
	if err := b.k.Terminate(ctx); err != nil {
		return false, err
	}
	after, err := b.leaves()
	return after > earlier, err
}

func (b broker) leaves() (n int, err error) {
	for _, said := range []string{"Controlled shutdown succeeded", "Controlled shutdown request returned successfully"} { // before 3.0, since
		count, err := b.k.LogCount(said)
		if err != nil {
			return 0, err
		}
		n += count
	}
	return n, nil
}

// Cut ends what connects the broker with ZooKeeper, and others with the broker. What it asks of other brokers as a
// follower, and of a Baton, still reaches them: nobody there can tell who knocks.
func (b broker) Cut(off bool) error {
	for _, p := range []*kafka.TCPProxy{b.zk, b.k.Proxy(kafka.Internal)} {
		p.Refuse(off)
		if off {
			p.Cut()
		}
	}
	return nil
}
