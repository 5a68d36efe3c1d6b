package statelog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/isr"
	"baton/partition"
	"baton/planner"
)

var us = Identity{ID: 2000001, Epoch: 7}

func state(leader int32, epoch int, set ...int32) partition.State {
	s := partition.State{}
	s.Leader, s.ISR, s.PartitionEpoch = leader, set, 12
	s.LeaderEpoch += 0
	for range epoch {
		s.LeaderEpoch++
	}
	return s
}

func TestNote(t *testing.T) {
	id := partition.ID{Topic: "orders", Number: 3}
	const head = "[Controller id=2000001 epoch=7] Changed partition orders-3 "
	recovering := state(3, 6, 3)
	recovering.Recovery = isr.Recovering
	for name, c := range map[string]struct {
		note planner.Note
		want string
	}{
		"first leader": {planner.Note{Kind: planner.NoteElection, Strategy: partition.Initial, To: state(1, 0, 1, 2)},
			head + "from NewPartition to OnlinePartition with state LeaderAndIsr(leader=1, leaderEpoch=0, isr=List(1, 2), leaderRecoveryState=RECOVERED, partitionEpoch=12)"},
		"leader died": {planner.Note{Kind: planner.NoteElection, Strategy: partition.OfflineElection, From: state(1, 4, 1, 2), To: state(2, 5, 2)},
			head + "from OfflinePartition to OnlinePartition with state LeaderAndIsr(leader=2, leaderEpoch=5, isr=List(2), leaderRecoveryState=RECOVERED, partitionEpoch=12)"},
		"unclean": {planner.Note{Kind: planner.NoteElection, Strategy: partition.Unclean, From: state(-1, 5, 1), To: recovering},
			head + "from OfflinePartition to OnlinePartition with state LeaderAndIsr(leader=3, leaderEpoch=6, isr=List(3), leaderRecoveryState=RECOVERING, partitionEpoch=12)"},
		"nobody left": {planner.Note{Kind: planner.NoteElection, Strategy: partition.Leaderless, From: state(1, 4, 1), To: state(-1, 5, 1)},
			head + "state from OnlinePartition to OfflinePartition"},
		"broker leaves": {planner.Note{Kind: planner.NoteElection, Strategy: partition.ControlledShutdown, From: state(1, 4, 1, 2), To: state(2, 5, 2)},
			head + "from OnlinePartition to OnlinePartition with state LeaderAndIsr(leader=2, leaderEpoch=5, isr=List(2), leaderRecoveryState=RECOVERED, partitionEpoch=12)"},
		"ISR grows": {planner.Note{Kind: planner.NoteISRChange, From: state(1, 4, 1), To: state(1, 4, 1, 2)},
			head + "from OnlinePartition to OnlinePartition with state LeaderAndIsr(leader=1, leaderEpoch=4, isr=List(1, 2), leaderRecoveryState=RECOVERED, partitionEpoch=12)"},
		"no change of state": {planner.Note{Kind: planner.NoteAlarm, Text: "x"}, ""},
	} {
		c.note.Partition = id
		if got := Note(us, c.note); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func TestSending(t *testing.T) {
	topics := []planner.TopicStates{{Name: "a", Partitions: []planner.PartitionState{
		{Number: 0, State: state(2, 1, 2)}, {Number: 1, State: state(3, 1, 3, 2)}, {Number: 2, State: state(3, 1, 3, 2)}}}}
	for kind, want := range map[planner.RequestKind]string{
		planner.LeaderAndISR:   "Sending LeaderAndIsr request to broker 2 with 1 become-leader and 2 become-follower partitions",
		planner.UpdateMetadata: "Sending UpdateMetadata request to brokers Set(2) for 3 partitions",
		planner.StopReplica:    "Sending stop replica request for 3 replicas to broker 2",
	} {
		got := Sending(us, planner.Request{Kind: kind, Broker: 2, Topics: topics})
		if want = "[Controller id=2000001 epoch=7] " + want; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAnswered(t *testing.T) {
	a := planner.BrokerReplied{Broker: 2, Seq: 9}
	const head = "[Controller id=2000001 epoch=7] Received response error code NONE for request LEADER_AND_ISR with correlation id 9 sent to broker 2"
	if got := Answered(us, planner.LeaderAndISR, a); got != head {
		t.Errorf("got %q", got)
	}
	for i := range int32(7) {
		a.Partitions = append(a.Partitions, planner.PartitionCode{ID: partition.ID{Topic: "a", Number: i}, Code: int16(i % 2 * 56)})
	}
	if got, want := Answered(us, planner.LeaderAndISR, a), head+", a-1: KAFKA_STORAGE_ERROR, a-3: KAFKA_STORAGE_ERROR, a-5: KAFKA_STORAGE_ERROR"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range int32(9) {
		a.Partitions = append(a.Partitions, planner.PartitionCode{ID: partition.ID{Topic: "b", Number: i}, Code: 11})
	}
	if got := Answered(us, planner.LeaderAndISR, a); !strings.HasSuffix(got, "b-1: STALE_CONTROLLER_EPOCH, and 7 more") {
		t.Errorf("got %q", got)
	}
}

type sink struct {
	bytes.Buffer
	err error
}

func (s *sink) Write(b []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	return s.Buffer.Write(b)
}
func (*sink) Close() error { return nil }

func TestWriterKeepsLog4jLayout(t *testing.T) {
	var s sink
	w := New(&s, func() time.Time { return time.Date(2024, 5, 6, 7, 8, 9, 12_000_000, time.UTC) })
	w.Sending(us, planner.Request{Kind: planner.UpdateMetadata, Broker: 1})
	want := "[2024-05-06 07:08:09,012] INFO [Controller id=2000001 epoch=7] Sending UpdateMetadata request to brokers Set(1) for 0 partitions (state.change.logger)\n"
	if got := s.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.err = errors.New("disk full")
	w.Answered(us, planner.UpdateMetadata, planner.BrokerReplied{})
	s.err = nil
	w.Note(us, planner.Note{Kind: planner.NoteElection})
	if err := w.Err(); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
}

func TestWriterThatIsOff(t *testing.T) {
	w, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []*Writer{w, nil} {
		w.Note(us, planner.Note{Kind: planner.NoteElection})
		w.Sending(us, planner.Request{})
		w.Answered(us, planner.UpdateMetadata, planner.BrokerReplied{})
		if err := errors.Join(w.Err(), w.Reopen(), w.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestReopenAfterRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state-change.log")
	w, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	w.Sending(us, planner.Request{Broker: 1})
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := w.Reopen(); err != nil {
		t.Fatal(err)
	}
	w.Sending(us, planner.Request{Broker: 2})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]string{path + ".1": "broker 1 ", path: "broker 2 "} {
		text, err := os.ReadFile(p)
		if err != nil || strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), want) {
			t.Errorf("%s: %q, %v", p, text, err)
		}
	}
}
