package node

import (
	"time"

	"go.uber.org/zap"

	"baton/epoch"
	"baton/metrics"
	"baton/partition"
	"baton/planner"
	"baton/sample"
	"baton/statelog"
)

// observer turns what a term does into log lines, metrics, the state-change log and the journal.
type observer struct {
	node    *Node
	id      int32
	brokers map[int32]bool // that have series of their own; the loop's own
	samples *sample.Sampler
}

// close drops what only a leading controller knows, after its term: a standby that went
// on showing it would be alarming for nothing, or soothing.
func (o *observer) close() {
	o.forget(nil)
	o.node.metrics.Recovering(0, 0, 0)
}

// forget drops the series of brokers that are not among those there now.
func (o *observer) forget(now map[int32]planner.BrokerStats) {
	for id := range o.brokers {
		if _, ok := now[id]; !ok {
			o.node.metrics.ForgetBroker(id)
			delete(o.brokers, id)
		}
	}
}

func (o *observer) identity(f epoch.Fence) statelog.Identity {
	return statelog.Identity{ID: o.id, Epoch: int32(f.Epoch)}
}

// Note implements controller.Observer.
func (o *observer) Note(f epoch.Fence, n planner.Note) {
	log, m := o.node.log, o.node.metrics
	o.node.states.Note(o.identity(f), n)
	o.node.note(int32(f.Epoch), n)
	o.node.journal.Note(int32(f.Epoch), n)
	switch n.Kind {
	case planner.NoteElection:
		m.Election(string(n.Strategy))
		level := zap.DebugLevel
		if n.Strategy == partition.Unclean || n.Strategy == partition.Leaderless {
			level = zap.WarnLevel
		}
		if line := log.Check(level, "partition"); line != nil {
			line.Write(zap.String("change", n.Line()))
		}
		o.moved(f, n)
	case planner.NoteNoElection:
		log.Debug("partition", zap.String("change", n.Text))
	case planner.NoteISRChange:
		if line := log.Check(zap.DebugLevel, "isr"); line != nil {
			line.Write(zap.String("change", n.Line()))
		}
	case planner.NoteRefused:
		for reason, count := range n.Refused {
			m.RefusedISRChanges(reason, count)
		}
		log.Debug("isr change refused", zap.String("request", n.Text))
	case planner.NoteConflict:
		m.Conflict()
		log.Info("decided again", zap.String("conflict", n.Text))
	case planner.NoteAlarm, planner.NoteBad:
		m.Alarm(string(n.Kind))
		log.Error(string(n.Kind), zap.String("text", n.Text))
		o.node.alarm(n.Text)
	case planner.NoteReturned:
		m.ReturnedLog(n.Returned.Measured, n.Returned.Lost)
		log.Warn("partition", zap.String("returned", n.Text))
		o.node.remark(n.Partition, n.Returned.Text, false)
	case planner.NoteWriteFailed, planner.NoteTold, planner.NoteDirectory, planner.NoteRescue:
		log.Warn(string(n.Kind), zap.String("text", n.Text))
	default:
		log.Info(string(n.Kind), zap.String("text", n.Text))
	}
}

// Event implements controller.Observer.
func (o *observer) Event(name string, waited, took time.Duration) {
	if name == "Claimed" || name == "BrokersChanged" {
		o.node.dir.outdate()
	}
	o.node.metrics.EventQueueTime(waited)
	o.node.metrics.EventHandled(kafkaState(name), took)
	o.node.metrics.LoopProgress(time.Now())
}

// QueueSize implements controller.Observer.
func (o *observer) QueueSize(n int) { o.node.metrics.EventQueueSize(n) }

// Sending implements controller.Observer.
func (o *observer) Sending(f epoch.Fence, r planner.Request) {
	o.node.states.Sending(o.identity(f), r)
	o.node.journal.Sending(int32(f.Epoch), r)
}

// Answered implements controller.Observer.
func (o *observer) Answered(f epoch.Fence, a planner.BrokerReplied) {
	o.node.states.Answered(o.identity(f), a.Kind, a)
	o.node.journal.Answered(int32(f.Epoch), a)
}

// Measured implements controller.Observer.
func (o *observer) Measured(_ planner.Measure, logs []planner.MeasuredLog, took time.Duration) {
	silent := 0
	for _, l := range logs {
		if l.Log == nil {
			silent++
		}
	}
	o.node.metrics.Measured(len(logs)-silent, silent, took)
}

// Stats implements controller.Observer.
func (o *observer) Stats(st planner.Stats) {
	m := o.node.metrics
	m.SetCounts(metrics.Counts{Topics: st.Topics, Partitions: st.Led, Offline: st.Offline, PreferredImbalance: st.Imbalanced,
		Brokers: len(st.Brokers), UnderMinISR: st.UnderMinISR, UnderReplicated: st.UnderReplicated, Reassigning: st.Reassigning,
		TopicsToDelete: st.TopicsToDelete, ReplicasToDelete: st.ReplicasToDelete,
		TopicsIneligibleToDelete: st.TopicsIneligible, ReplicasIneligibleToDelete: st.ReplicasIneligible})
	m.Recovering(st.Rescues.Waiting, st.Rescues.Measuring, st.Rescues.Doubtful)
	paths := make([]string, len(st.Bad))
	for i, b := range st.Bad {
		paths[i] = b.Path
	}
	m.BadZnodes(metrics.SourceCluster, paths)
	o.forget(st.Brokers)
	for id, b := range st.Brokers {
		o.brokers[id] = true
		m.Untold(id, b.Untold)
		m.ChannelQueueSize(id, b.Requests)
	}
}

// kafkaState maps our events to the states of Kafka's ControllerState gauge and timers
// (02.1).
func kafkaState(event string) int {
	switch event {
	case "Claimed", "RoleLost":
		return 1
	case "BrokersChanged":
		return 2
	case "TopicsChanged", "CreateTopics", "CreatePartitions":
		return 3
	case "Continue":
		return 6 // what goes in slices is the auto rebalance, nearly always
	case "ElectLeaders", "PreferredRequested":
		return 7
	case "AlterReassignments":
		return 5
	case "WorkChanged", "DeleteTopics":
		return 4
	case "ControlledShutdown":
		return 8
	case "AlterPartition":
		return 9
	case "BrokerReplied":
		return 10
	case "Measured":
		return 7
	case "LogDirFailed":
		return 11
	case "DefaultsChanged":
		return 13
	case "TopicConfigRead", "QuotasChanged":
		return 14
	case "ISRChanged":
		return 9
	}
	return 0
}

// channelMetrics adapts the metrics to what channels tell.
type channelMetrics struct{ m *metrics.Set }

// RequestSent implements channel.Metrics.
func (c channelMetrics) RequestSent(int32, planner.RequestKind, int) {}

// RoundTrip implements channel.Metrics.
func (c channelMetrics) RoundTrip(broker int32, kind planner.RequestKind, d time.Duration) {
	c.m.RequestDone(kind.String(), broker, d)
}

// Connected implements channel.Metrics.
func (c channelMetrics) Connected(broker int32, up bool) { c.m.BrokerConnected(broker, up) }

// Planned implements controller.Observer.
func (o *observer) Planned(f epoch.Fence, decided []*planner.Decision, learned []planner.Learned) {
	o.node.journal.Planned(int32(f.Epoch), decided, learned)
}
