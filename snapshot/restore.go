package snapshot

import (
	"encoding/base64"
	"fmt"
	"slices"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// Memory is the way back: a machine that resumes from it decides as the one did that the document is of.
func (d *Document) Memory() planner.Memory {
	im := cluster.NewImage(d.Batons)
	for _, b := range d.Brokers {
		im.PutBroker(cluster.Broker{ID: b.ID, Epoch: epoch.Broker(b.Epoch)}) // decisions ask for no address
		if b.Leaving {
			im.SetLeaving(b.ID)
		}
	}
	im.SetUnread(d.Unreadable)
	mem := planner.Memory{
		ID: d.Controller.ID, Fence: epoch.Fence{Epoch: epoch.Controller(d.Controller.Epoch)}, Image: im,
		Settings: planner.Settings{UncleanElection: d.Static.Unclean, MinISR: d.Static.MinISR, DeleteTopics: d.Static.DeleteTopics,
			LeaderRecovery: d.Static.LeaderRecovery, Recovery: d.Static.policy()},
		UncleanDynamic: d.Defaults.Unclean, DefaultsBad: d.Defaults.Unreadable,
	}
	for i := range d.Topics {
		mem.Topics = append(mem.Topics, d.Topics[i].memory(im.View()))
	}
	return mem
}

func (t *Topic) memory(view int64) planner.TopicMemory {
	out := planner.TopicMemory{Topic: cluster.Topic{Name: t.Name, Version: t.ZnodeVersion, Held: t.Held, Deleting: t.Deleting,
		Partitions: make([]cluster.Partition, 0, len(t.Partitions))}, Marked: t.Marked, Bad: t.Unreadable}
	if id, err := base64.RawURLEncoding.DecodeString(t.ID); err == nil {
		copy(out.ID[:], id)
	}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		out.Partitions = append(out.Partitions, cluster.Partition{
			Number: p.Number, Known: !p.New, Decided: view, Lapsed: p.Lapsed, Broken: p.Unreadable, Dirs: p.FailedDirs,
			Assignment: partition.Assignment{Replicas: p.Replicas, Adding: p.Adding, Removing: p.Removing}, State: p.state(),
		})
	}
	return out
}

func (p *Partition) state() partition.State {
	if p.New {
		return partition.State{}
	}
	s := partition.State{ControllerEpoch: epoch.Controller(p.ControllerEpoch), LeaderAndISR: isr.LeaderAndISR{
		Leader: p.Leader, LeaderEpoch: epoch.Leader(p.LeaderEpoch), ISR: p.ISR, PartitionEpoch: epoch.Partition(p.PartitionEpoch)}}
	if p.Recovering {
		s.Recovery = isr.Recovering
	}
	return s
}

// ConfigRead is what a machine that asks for a topic's configuration is answered.
func (t *Topic) ConfigRead() planner.TopicConfigRead {
	out := planner.TopicConfigRead{Topic: t.Name}
	switch t.Unclean.From {
	case FromTopic:
		out.Unclean = &t.Unclean.Value
	case Unknown:
		if t.Recovery == nil || t.Recovery.From != FromStatic { // else the topic is known to say nothing
			out.Bad = t.Unclean.Unreadable
		}
	}
	return out
}

// valid names the first thing in a document that no controller could have written.
func (d *Document) valid() error {
	switch {
	case d.Format != Format:
		return fmt.Errorf("format is %q: this is no snapshot (expected %q)", d.Format, Format)
	case d.Version != Version:
		return fmt.Errorf("version is %d: this build reads version %d only", d.Version, Version)
	}
	for i := 1; i < len(d.Brokers); i++ {
		if d.Brokers[i-1].ID >= d.Brokers[i].ID {
			return fmt.Errorf("brokers: %d comes after %d, or twice", d.Brokers[i].ID, d.Brokers[i-1].ID)
		}
	}
	for i := range d.Topics {
		t := &d.Topics[i]
		if i > 0 && d.Topics[i-1].Name >= t.Name {
			return fmt.Errorf("topics: %q comes after %q, or twice", t.Name, d.Topics[i-1].Name)
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if p.Number < 0 || j > 0 && t.Partitions[j-1].Number >= p.Number {
				return fmt.Errorf("topic %q: partition %d is out of order, or there twice", t.Name, p.Number)
			}
			if err := p.valid(); err != nil {
				return fmt.Errorf("%s-%d: %w", t.Name, p.Number, err)
			}
		}
	}
	return nil
}

func (p *Partition) valid() error {
	switch {
	case !isr.Set(p.Replicas).Distinct():
		return fmt.Errorf("replicas %v: one is there twice", p.Replicas)
	case p.New || p.Unreadable != "":
		return nil
	case len(p.ISR) == 0:
		return fmt.Errorf("isr is empty")
	case !isr.Set(p.ISR).Distinct():
		return fmt.Errorf("isr %v: one is there twice", p.ISR)
	case p.Leader != isr.NoLeader && !slices.Contains(p.ISR, p.Leader):
		return fmt.Errorf("leader %d is not in the isr %v", p.Leader, p.ISR)
	}
	return nil
}
