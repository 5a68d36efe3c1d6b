package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// Watcher awaits what the cluster has in ZooKeeper, through watches on a session of its own. Paths are relative to the
// chroot.
type Watcher struct {
	Conn   *zk.Conn
	chroot string
}

// recheck bounds the harm of a watch event lost over a reconnect, which the client library is known for.
const recheck = 2 * time.Second

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// NewWatcher connects to ZooKeeper; Close it, or let env's end do it.
func NewWatcher(env Env, addrs []string, chroot string) (*Watcher, error) {
	dial := func(network, addr string, timeout time.Duration) (net.Conn, error) {
		return net.DialTimeout(network, addr, min(timeout, 2*time.Second))
	}
	conn, events, err := zk.Connect(addrs, 30*time.Second, zk.WithLogger(quiet{}), zk.WithDialer(dial))
	if err != nil {
		return nil, err
	}
	go func() {
		for range events { // closed by Close
		}
	}()
	env.Cleanup(conn.Close)
	return &Watcher{Conn: conn, chroot: chroot}, nil
}

// Reads collects the watches that a condition's reads have set.
type Reads struct {
	w      *Watcher
	events []<-chan zk.Event
}

// Get reads a znode; one that does not exist is nil, and its creation is watched.
func (r *Reads) Get(path string) ([]byte, error) {
	data, _, ch, err := r.w.Conn.GetW(r.w.chroot + path)
	if errors.Is(err, zk.ErrNoNode) {
		_, _, ch, err = r.w.Conn.ExistsW(r.w.chroot + path)
		data = nil
	}
	if err == nil {
		r.events = append(r.events, ch)
	}
	return data, err
}

// Children lists a znode's children; one that does not exist has none, and its creation is watched.
func (r *Reads) Children(path string) ([]string, error) {
	names, _, ch, err := r.w.Conn.ChildrenW(r.w.chroot + path)
	if errors.Is(err, zk.ErrNoNode) {
		_, _, ch, err = r.w.Conn.ExistsW(r.w.chroot + path)
		names = nil
	}
	if err == nil {
		r.events = append(r.events, ch)
	}
	slices.Sort(names)
	return names, err
}

// Until evaluates condition, again whenever something it read has changed, until it holds or ctx ends. The
// condition says in words what is still missing, and nothing when it holds.
func (w *Watcher) Until(ctx context.Context, what string, condition func(*Reads) (missing string, err error)) error {
	type answer struct {
		missing string
		err     error
		events  []<-chan zk.Event
	}
	last := "ZooKeeper has not answered"
	for {
		// The library's calls know no deadline and block while there is no connection.
		got := make(chan answer, 1)
		go func() {
			reads := &Reads{w: w}
			missing, err := condition(reads)
			got <- answer{missing, err, reads.events}
		}()
		var a answer
		select {
		case a = <-got:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: %s", what, ctx.Err(), last)
		}
		if a.err == nil && a.missing == "" {
			return nil
		}
		if errors.Is(a.err, ErrHopeless) {
			return fmt.Errorf("waiting for %s: %w", what, a.err)
		}
		last = a.missing
		if a.err != nil {
			last = a.err.Error()
		}
		if wait(ctx, a.events) != nil {
			return fmt.Errorf("waiting for %s: %w: %s", what, ctx.Err(), last)
		}
	}
}

// wait returns at the first event of any watch, or soon.
func wait(ctx context.Context, events []<-chan zk.Event) error {
	ctx2, cancel := context.WithTimeout(ctx, recheck)
	defer cancel()
	first := make(chan struct{}, len(events))
	for _, ch := range events {
		go func() {
			select {
			case <-ch:
				first <- struct{}{}
			case <-ctx2.Done():
			}
		}()
	}
	select {
	case <-first:
	case <-ctx2.Done():
	}
	return ctx.Err()
}

// Controller is the content of /controller.
type Controller struct {
	BrokerID int    `json:"brokerid"`
	JSON     string `json:"-"`
}

// Controller reads /controller; held is false when nobody has it.
func (r *Reads) Controller() (c Controller, held bool, err error) {
	data, err := r.Get("/controller")
	if err != nil || data == nil {
		return c, false, err
	}
	c.JSON = string(data)
	return c, true, json.Unmarshal(data, &c)
}

// WaitController waits until somebody for whom want says yes holds /controller; nil wants anybody.
func (w *Watcher) WaitController(ctx context.Context, want func(id int) bool) (Controller, error) {
	ctx, cancel := deadline(ctx, time.Minute)
	defer cancel()
	var c Controller
	err := w.Until(ctx, "a controller", func(r *Reads) (string, error) {
		now, held, err := r.Controller()
		if err != nil || !held {
			return "nobody holds /controller", err
		}
		c = now
		if want != nil && !want(c.BrokerID) {
			return "it is held: " + c.JSON, nil
		}
		return "", nil
	})
	if err != nil {
		return Controller{}, err // c may still be written by a read that has not come back
	}
	return c, nil
}

// WaitBrokers waits until exactly these brokers are registered.
func (w *Watcher) WaitBrokers(ctx context.Context, ids ...int) error {
	return w.waitIDs(ctx, fmt.Sprintf("brokers %v alone to be registered", ids), func(have []int) bool {
		slices.Sort(ids)
		return slices.Equal(have, ids)
	})
}

func (w *Watcher) waitIDs(ctx context.Context, what string, ok func([]int) bool) error {
	ctx, cancel := deadline(ctx, time.Minute)
	defer cancel()
	return w.Until(ctx, what, func(r *Reads) (string, error) {
		names, err := r.Children("/brokers/ids")
		if err != nil {
			return "", err
		}
		var have []int
		for _, n := range names {
			id, err := strconv.Atoi(n)
			if err != nil {
				return "", err
			}
			have = append(have, id)
		}
		slices.Sort(have)
		if !ok(have) {
			return "registered are " + strings.Join(names, ","), nil
		}
		return "", nil
	})
}

// PartitionState is the part of a partition's state znode that tests look at.
type PartitionState struct {
	Leader          int   `json:"leader"`
	LeaderEpoch     int   `json:"leader_epoch"`
	ControllerEpoch int   `json:"controller_epoch"`
	ISR             []int `json:"isr"`
}

// WaitPartitions waits until ok holds for every partition of the topics, which must exist.
func (w *Watcher) WaitPartitions(ctx context.Context, what string, topics []string,
	ok func(replicas []int, s PartitionState) bool) error {
	ctx, cancel := deadline(ctx, time.Minute)
	defer cancel()
	return w.Until(ctx, what, func(r *Reads) (string, error) {
		for _, topic := range topics {
			if missing, err := r.partitions(topic, ok); missing != "" || err != nil {
				return missing, err
			}
		}
		return "", nil
	})
}

func (r *Reads) partitions(topic string, ok func([]int, PartitionState) bool) (string, error) {
	data, err := r.Get("/brokers/topics/" + topic)
	if err != nil || data == nil {
		return "topic " + topic + " does not exist", err
	}
	var assignment struct {
		Partitions map[string][]int `json:"partitions"`
	}
	if err := json.Unmarshal(data, &assignment); err != nil {
		return "", fmt.Errorf("topic %s: %w", topic, err)
	}
	for _, p := range sortedKeys(assignment.Partitions) {
		data, err := r.Get("/brokers/topics/" + topic + "/partitions/" + p + "/state")
		if err != nil || data == nil {
			return topic + "-" + p + " has no state yet", err
		}
		var s PartitionState
		if err := json.Unmarshal(data, &s); err != nil {
			return "", fmt.Errorf("state of %s-%s: %w", topic, p, err)
		}
		if !ok(assignment.Partitions[p], s) {
			return fmt.Sprintf("%s-%s with replicas %v is %s", topic, p, assignment.Partitions[p], data), nil
		}
	}
	return "", nil
}

// WaitISRFull waits until every partition of the topics has a leader and all its replicas in sync.
func (w *Watcher) WaitISRFull(ctx context.Context, topics ...string) error {
	return w.WaitPartitions(ctx, "the ISR of "+strings.Join(topics, ", ")+" to be full", topics,
		func(replicas []int, s PartitionState) bool {
			return s.Leader >= 0 && len(s.ISR) == len(replicas)
		})
}

// WaitNotLeading waits until the broker leads none of the topics' partitions.
func (w *Watcher) WaitNotLeading(ctx context.Context, broker int, topics ...string) error {
	return w.WaitPartitions(ctx, fmt.Sprintf("broker %d to lead nothing of %v", broker, topics), topics,
		func(_ []int, s PartitionState) bool { return s.Leader != broker && s.Leader >= 0 })
}
