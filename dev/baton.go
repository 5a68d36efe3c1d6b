package dev

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"baton/admin"
	"baton/config"
	"baton/metrics"
	"baton/node"
)

// firstBaton is the id of the first Baton; the others follow.
const firstBaton = 2000001

// baton is a process of ours: a real node on a network of its own, so that it can be killed without a word to anybody.
type baton struct {
	id     int32
	life   int
	node   *node.Node
	cancel context.CancelFunc
}

func (b *baton) host() string { return fmt.Sprintf("baton %d, life %d", b.id, b.life) }

func (b *baton) running() bool { return b.node != nil }

// startBaton starts a node; it takes part as soon as it can.
func (w *World) startBaton(b *baton) error {
	if b.running() {
		return fmt.Errorf("Baton %d runs already", b.id) //nolint:staticcheck // the product's name
	}
	samples := 1000
	if w.o.NoSamples {
		samples = 0
	}
	// Leaders go home when somebody asks: a story with elections of its own would be another one each time.
	text := fmt.Sprintf("node.id=%d\nzookeeper.connect=%s\ncontroller.mode=standby\nzookeeper.session.timeout.ms=%d\n"+
		"instance.name=dev-%d\nadmin.listener=\nadmin.socket=\nauto.create.topics.enable=false\nauto.leader.rebalance.enable=false\n"+
		"leader.log.sample.interval.ms=%d\n%s",
		b.id, w.cluster.ZooKeeper, w.cluster.Session.Milliseconds(), b.id-firstBaton+1, samples, w.cluster.Baton)
	cfg, _, err := config.Parse(strings.NewReader(text), "dev", nil)
	if err != nil {
		return err
	}
	set, err := metrics.New(prometheus.NewRegistry(), nil, metrics.Build{})
	if err != nil {
		return err
	}
	b.life++
	for _, br := range w.brokers {
		if br.cutOff {
			w.net.Cut(brokerHost(br.ID()), b.host())
		}
	}
	n := node.New(cfg, node.Options{Log: zap.NewNop(), Metrics: set, Level: zap.NewAtomicLevel(), Network: w.net.Host(b.host()),
		Notes: w.elections.note})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _ = n.Run(ctx) }() // it serves on loopback: an error would be that of a killed one
	b.node, b.cancel = n, cancel
	return nil
}

// abandon is kill -9: it reaches nobody any more. Its goroutines end when they have noticed, which nobody waits for.
func (b *baton) abandon(n *Net) {
	if b.running() {
		n.Down(b.host())
		b.cancel()
		b.node = nil
	}
}

func (b *baton) status() (admin.Status, error) {
	if !b.running() {
		return admin.Status{}, errors.New("not running")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return b.node.Status(ctx)
}

// member: the process has a session and knows the role.
func (b *baton) member() bool {
	if !b.running() {
		return false
	}
	ok, _ := b.node.Ready()
	return ok
}

// active returns the running Baton that holds the role in ZooKeeper, nil if none does.
func (w *World) active() *baton {
	role := w.history.Role()
	for _, b := range w.batons {
		if b.id == role.Holder && b.running() {
			return b
		}
	}
	return nil
}

// Nodes are the running Batons as their operators see them, first the one that holds the role, if one does.
func (w *World) Nodes() (out []admin.Node) {
	a := w.active()
	if a != nil {
		out = append(out, a.node)
	}
	for _, b := range w.batons {
		if b != a && b.running() {
			out = append(out, b.node)
		}
	}
	return out
}

// KillBaton is kill -9: no word to anybody, and the session lives until it runs out.
func (w *World) KillBaton(b *baton) error {
	if !b.running() {
		return fmt.Errorf("Baton %d does not run", b.id) //nolint:staticcheck // the product's name
	}
	b.abandon(w.net)
	return nil
}

// byHand is who asks for what an operator would ask for.
var byHand = admin.Request{Who: "dev", Why: "asked for"}

// TakeOver gives the role to the first Baton, from a broker.
func (w *World) TakeOver(ctx context.Context) error {
	for _, b := range w.batons {
		if b.running() {
			return b.node.Takeover(ctx, byHand, w.progress)
		}
	}
	return errors.New("no Baton runs")
}

// HandBack gives the role to a broker, and keeps the Batons from it until TakeOver.
func (w *World) HandBack(ctx context.Context) (broker int32, err error) {
	if !w.cluster.OwnController {
		return 0, errors.New("simulated brokers have no controller of their own")
	}
	b := w.active()
	if b == nil {
		return 0, errNoActive
	}
	done, err := b.node.Handback(ctx, byHand, w.progress)
	return done.Broker, err
}

func (w *World) progress(step string) { w.out.Detail(plain, "%s", step) }

// Handover moves the role to the other Baton without a gap.
func (w *World) Handover(ctx context.Context) (to int32, err error) {
	from := w.active()
	if from == nil {
		return 0, errNoActive
	}
	for _, b := range w.batons {
		if b != from && b.running() {
			return b.id, from.node.Handover(ctx, b.id, byHand, func(string) {})
		}
	}
	return 0, errors.New("no other Baton runs")
}
