package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"baton/admin"
	"baton/epoch"
	"baton/isr"
	"baton/measure"
	"baton/partition"
	"baton/planner"
	"baton/recovery"
	"baton/snapshot"
)

const (
	// measureWait is how long a broker may take to say what its replica has.
	measureWait = 5 * time.Second
	// electWait is how long an election of a named replica may take.
	electWait = 20 * time.Second
)

// Measure implements admin.Elector.
func (n *Node) Measure(ctx context.Context, q admin.Question) (admin.Measurement, error) {
	which, err := recovery.ParseWhich(q.Candidate)
	if err != nil {
		return admin.Measurement{}, admin.Usage("candidate %w", err)
	}
	begun := time.Now()
	doc, err := n.Snapshot(ctx, []string{q.Topic})
	if err != nil {
		return admin.Measurement{}, err
	}
	t, p, err := leaderless(doc, q)
	if err != nil {
		return admin.Measurement{}, err
	}
	m := admin.Measurement{Topic: t.Name, Partition: p.Number, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch, ISR: p.ISR}
	live := n.candidates(ctx, doc, t, p)
	choice := recovery.Choose(live, which)
	m.Leader, m.Doubts = choice.Leader, append([]string{}, choice.Doubts...)
	for _, id := range p.Replicas {
		r := admin.Measured{Broker: id, InISR: slices.Contains(p.ISR, id)}
		if i := slices.IndexFunc(live, func(c recovery.Candidate) bool { return c.ID == id }); i >= 0 {
			r.Epoch, r.Silent, r.Log = int64(live[i].Epoch), live[i].Silent, measuredLog(live, live[i])
			if r.Log != nil {
				tellHistory(r.Log, live, live[i], m.Leader)
			}
		}
		m.Replicas = append(m.Replicas, r)
	}
	m.TookMS = time.Since(begun).Milliseconds()
	return m, nil
}

// leaderless finds a partition that only a replica from outside its ISR could lead.
func leaderless(doc *snapshot.Document, q admin.Question) (*snapshot.Topic, *snapshot.Partition, error) {
	t := doc.Topic(q.Topic)
	if t == nil {
		return nil, nil, fmt.Errorf("there is no topic %s", q.Topic)
	}
	p := t.Partition(q.Partition)
	switch {
	case p == nil:
		return nil, nil, fmt.Errorf("topic %s has no partition %d", q.Topic, q.Partition)
	case t.Held != "":
		return nil, nil, admin.Refused("no leader is elected for %s: %s", t.Name, t.Held)
	case p.Unreadable != "":
		return nil, nil, admin.Refused("no leader is elected for %s-%d: its state cannot be understood: %s", t.Name, p.Number, p.Unreadable)
	case p.Leader != isr.NoLeader || p.New:
		return nil, nil, admin.Refused("%s-%d is led by %d: an unclean election is for partitions without a leader", t.Name, p.Number, p.Leader)
	}
	return t, p, nil
}

// candidates measures the live replicas, in preference order.
func (n *Node) candidates(ctx context.Context, doc *snapshot.Document, t *snapshot.Topic, p *snapshot.Partition) []recovery.Candidate {
	var live []recovery.Candidate
	var wanted []measure.Wanted
	id := partition.ID{Topic: t.Name, Number: p.Number}
	for _, r := range p.Replicas {
		b := doc.Broker(r)
		if b == nil || b.Leaving || slices.Contains(p.FailedDirs, r) {
			continue
		}
		live = append(live, recovery.Candidate{ID: r, Epoch: epoch.Broker(b.Epoch)})
		wanted = append(wanted, measure.Wanted{Broker: r, Addr: addr(b, n.config().InterBrokerListener),
			Logs: []measure.Partition{{ID: id, Epoch: p.LeaderEpoch}}})
	}
	for i, got := range (measure.Measurer{Dial: n.network.Dial, Timeout: measureWait}).Measure(ctx, wanted) {
		live[i].Log, live[i].Silent = got[0].Log, got[0].Silent
	}
	n.histories(ctx, wanted, live)
	return live
}

// addr of a broker's listener, empty if it does not publish it: then it is silent.
func addr(b *snapshot.Broker, listener string) string {
	for _, e := range b.Endpoints {
		if name, at, ok := strings.Cut(e, "://"); ok && name == listener {
			return at
		}
	}
	return ""
}

func measuredLog(live []recovery.Candidate, c recovery.Candidate) *admin.MeasuredLog {
	if c.Log == nil {
		return nil
	}
	l := &admin.MeasuredLog{Start: c.Log.Start, End: c.Log.End, EpochMin: c.Log.Last.Min, EpochMax: c.Log.Last.Max}
	loss := recovery.LossOf(c, live, nil)
	if loss.Known {
		l.From, l.LossMin = loss.From, &loss.Min
		if loss.Max != recovery.Open {
			l.LossMax = &loss.Max
		}
	}
	return l
}

// Elect implements admin.Elector.
func (n *Node) Elect(ctx context.Context, c admin.Choice, req admin.Request) (_ admin.Elected, err error) {
	begun := time.Now()
	id := partition.ID{Topic: c.Topic, Number: c.Partition}
	kind := "elect leader"
	if c.Unclean {
		kind = "elect unclean"
	}
	defer func() { n.recordCommand(fmt.Sprintf("%s: %d of %v", kind, c.Leader, id), req, begun, err) }()
	t := n.current()
	if t == nil {
		n.mu.Lock()
		v := n.view
		n.mu.Unlock()
		return admin.Elected{}, notHere(n.id(), v)
	}
	call := planner.ElectLeaders{Type: planner.Preferred, Partitions: []partition.ID{id}, Timeout: planner.Millis(electWait.Milliseconds()), Who: req.Who, Why: req.Why,
		Candidate: &planner.Candidate{ID: c.Leader, PartitionEpoch: epoch.Partition(c.PartitionEpoch), Live: map[int32]epoch.Broker{}}}
	if c.Unclean {
		call.Type = planner.Unclean
	}
	for b, e := range c.Live {
		call.Candidate.Live[b] = epoch.Broker(e)
	}
	ctx, cancel := context.WithTimeout(ctx, electWait+5*time.Second)
	defer cancel()
	answer, err := t.Call(ctx, call)
	if err != nil {
		return admin.Elected{}, admin.Unreachable("the outcome is not known, see `controller explain`: %w", err)
	}
	reply, ok := answer.(planner.ElectLeadersReply)
	switch {
	case !ok || reply.Err == nil && len(reply.Results) != 1:
		return admin.Elected{}, fmt.Errorf("unexpected answer %T", answer)
	case reply.Err != nil:
		return admin.Elected{}, admin.Unreachable("this Baton has just lost the role: %s", reply.Err.Message)
	}
	switch r := reply.Results[0]; r.Err {
	case nil:
		return admin.Elected{Leader: c.Leader}, nil
	case kerr.ElectionNotNeeded:
		return admin.Elected{Leader: c.Leader, NotNeeded: true}, nil
	case kerr.InvalidUpdateVersion:
		return admin.Elected{}, admin.Refused("nothing was changed: %s", r.Message)
	default:
		return admin.Elected{}, fmt.Errorf("%s: %s", r.Err.Message, r.Message)
	}
}
