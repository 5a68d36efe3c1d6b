// Package statelog writes what the controller decided and sent in the words of Kafka's own state-change log, so that
// the searches people know go on finding things: "from OfflinePartition to OnlinePartition", "Sending LeaderAndIsr
// request to broker 2". Formatting is pure; Writer is the file.
package statelog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// Identity starts every line: which controller, in which epoch.
type Identity struct {
	ID    int32
	Epoch int32
}

func (i Identity) line(format string, args ...any) string {
	return fmt.Sprintf("[Controller id=%d epoch=%d] ", i.ID, i.Epoch) + fmt.Sprintf(format, args...)
}

// Kafka's names of a partition's states.
const (
	newPartition     = "NewPartition"
	onlinePartition  = "OnlinePartition"
	offlinePartition = "OfflinePartition"
)

// Note is the line for a note, empty for those that are no change of state.
func Note(i Identity, n planner.Note) string {
	switch n.Kind {
	case planner.NoteElection, planner.NoteISRChange:
	default:
		return ""
	}
	from, to := states(n)
	if to == offlinePartition {
		return i.line("Changed partition %s state from %s to %s", n.Partition, from, to)
	}
	return i.line("Changed partition %s from %s to %s with state %s", n.Partition, from, to, leaderAndISR(n.To.LeaderAndISR))
}

// states names the transition. Kafka takes a partition offline before it elects another leader, so that an election
// after a leader's loss always reads "from OfflinePartition".
func states(n planner.Note) (from, to string) {
	from, to = onlinePartition, onlinePartition
	switch {
	case n.Strategy == partition.Initial:
		from = newPartition
	case n.Strategy == partition.OfflineElection, n.Strategy == partition.Unclean, n.From.Leader == isr.NoLeader:
		from = offlinePartition
	}
	if n.To.Leader == isr.NoLeader {
		to = offlinePartition
	}
	if n.Strategy == partition.Leaderless {
		from = onlinePartition
	}
	return from, to
}

func leaderAndISR(l isr.LeaderAndISR) string {
	recovery := "RECOVERED"
	if l.Recovery == isr.Recovering {
		recovery = "RECOVERING"
	}
	return fmt.Sprintf("LeaderAndIsr(leader=%d, leaderEpoch=%d, isr=List(%s), leaderRecoveryState=%s, partitionEpoch=%d)",
		l.Leader, l.LeaderEpoch, ids(l.ISR), recovery, l.PartitionEpoch)
}

func ids(set []int32) string {
	parts := make([]string, len(set))
	for k, id := range set {
		parts[k] = fmt.Sprint(id)
	}
	return strings.Join(parts, ", ")
}

// Sending is the line for a control request that goes out.
func Sending(i Identity, r planner.Request) string {
	leading, following, total := count(r)
	switch r.Kind {
	case planner.LeaderAndISR:
		return i.line("Sending LeaderAndIsr request to broker %d with %d become-leader and %d become-follower partitions", r.Broker, leading, following)
	case planner.UpdateMetadata:
		return i.line("Sending UpdateMetadata request to brokers Set(%d) for %d partitions", r.Broker, total)
	}
	return i.line("Sending stop replica request for %d replicas to broker %d", total, r.Broker)
}

func count(r planner.Request) (leading, following, total int) {
	for _, t := range r.Topics {
		total += len(t.Partitions)
		for _, p := range t.Partitions {
			if p.State.Leader == r.Broker {
				leading++
			} else {
				following++
			}
		}
	}
	return leading, following, total
}

// kafkaNames are the requests as Kafka's ApiKeys has them.
var kafkaNames = map[planner.RequestKind]string{
	planner.LeaderAndISR: "LEADER_AND_ISR", planner.UpdateMetadata: "UPDATE_METADATA", planner.StopReplica: "STOP_REPLICA",
}

// Answered is the line for a broker's answer; errors of partitions are named, a few at most.
func Answered(i Identity, kind planner.RequestKind, a planner.BrokerReplied) string {
	const most = 5
	line := i.line("Received response error code %s for request %s with correlation id %d sent to broker %d",
		errorName(a.Code), kafkaNames[kind], a.Seq, a.Broker)
	failed := slices.DeleteFunc(slices.Clone(a.Partitions), func(p planner.PartitionCode) bool { return p.Code == 0 })
	for k, p := range failed {
		if k == most {
			return line + fmt.Sprintf(", and %d more", len(failed)-most)
		}
		line += fmt.Sprintf(", %s: %s", p.ID, errorName(p.Code))
	}
	return line
}

func errorName(code int16) string {
	if code == 0 {
		return "NONE"
	}
	if e := kerr.TypedErrorForCode(code); e != nil && e.Code == code {
		return e.Message
	}
	return fmt.Sprint(code)
}
