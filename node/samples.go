package node

import (
	"fmt"
	"slices"

	"go.uber.org/zap"

	"baton/controller"
	"baton/epoch"
	"baton/isr"
	"baton/journal/entry"
	"baton/partition"
	"baton/planner"
	"baton/sample"
)

// newSampler returns the sampler of a term.
func (n *Node) newSampler(t *controller.Term) *sample.Sampler {
	return sample.New(sample.Options{
		View: t.View,
		Settings: func() sample.Settings {
			c := n.config()
			return sample.Settings{Interval: c.LeaderLogSampleInterval, PerSecond: c.LeaderLogSamplePartitions, Listener: c.InterBrokerListener}
		},
		Dial: n.network.Dial, Metrics: n.metrics.Samples(),
	})
}

// moved tells the sampler of an election. What was seen last of the log of a leader that is lost goes into the log and the
// journal, where it is found when this process is gone.
func (o *observer) moved(f epoch.Fence, note planner.Note) {
	o.samples.Moved(note.Partition, note.From, note.To)
	if note.From.Leader == isr.NoLeader || note.To.Leader != isr.NoLeader {
		return
	}
	s := o.samples.Lost(note.Partition)
	if s == nil {
		return
	}
	text := fmt.Sprintf("the log of leader %d, which is lost, ended at %d (%v)", note.From.Leader, s.End, s)
	o.node.remark(note.Partition, text, true)
	text = fmt.Sprintf("%v: %s", note.Partition, text)
	o.node.log.Warn("partition", zap.String("sample", text))
	o.node.journal.Note(int32(f.Epoch), planner.Note{Kind: entry.LeaderLog, Partition: note.Partition, Broker: note.From.Leader, Text: text})
}

// maxRemarks is of how many partitions remarks are kept for whoever asks; the journal has all.
const maxRemarks = 10_000

// remark keeps what was found out about the logs of a partition's replicas, in place of what was before if it is the first since
// a leader was lost.
func (n *Node) remark(id partition.ID, text string, first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if first {
		delete(n.remarks, id)
	}
	if n.remarks[id] != nil || len(n.remarks) < maxRemarks {
		n.remarks[id] = append(n.remarks[id], text)
	}
}

// logRemarks are what was found out about the logs of some topics' replicas under this term, and where their leaders' ended last; nil if
// all topics are meant.
func (n *Node) logRemarks(topics []string) map[partition.ID][]string {
	if topics == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	out := map[partition.ID][]string{}
	for id, texts := range n.remarks {
		if slices.Contains(topics, id.Topic) {
			out[id] = slices.Clone(texts)
		}
	}
	if n.samples == nil {
		return out
	}
	for _, topic := range topics {
		for number, l := range n.samples.Led(topic) {
			id := partition.ID{Topic: topic, Number: number}
			out[id] = append(out[id], l.String())
		}
	}
	return out
}
