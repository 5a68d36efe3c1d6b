package zkstore

import (
	"fmt"
	"slices"
	"strconv"

	"baton/epoch"
	"baton/isr"
	"baton/partition"
)

// encodeState returns the content of a state znode; the PartitionEpoch is not part of it.
func encodeState(st partition.State) []byte { return appendState(make([]byte, 0, 96), st) }

func appendState(b []byte, st partition.State) []byte {
	b = append(b, `{"controller_epoch":`...)
	b = strconv.AppendInt(b, int64(st.ControllerEpoch), 10)
	b = append(b, `,"leader":`...)
	b = strconv.AppendInt(b, int64(st.Leader), 10)
	b = append(b, `,"version":1,"leader_epoch":`...)
	b = strconv.AppendInt(b, int64(st.LeaderEpoch), 10)
	b = append(b, `,"isr":[`...)
	for i, id := range st.ISR {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	b = append(b, ']')
	// Brokers before 3.2 do not know the key, so it appears only when it says something.
	if st.Recovery == isr.Recovering {
		b = append(b, `,"leader_recovery_state":1`...)
	}
	return append(b, '}')
}

// decodeState reads any state znode; those that brokers and we write, in their order of keys, by a short way.
func decodeState(data []byte, version int32) (st partition.State, err error) {
	if st, ok := usualState(data, version); ok {
		return st, nil
	}
	return anyState(data, version)
}

func anyState(data []byte, version int32) (st partition.State, err error) {
	o, err := parseObject(data)
	if err != nil {
		return st, err
	}
	if err := checkVersion(o, 1, 1); err != nil {
		return st, err
	}
	leader, err := required[int32](o, "leader", kindInt)
	if err != nil {
		return st, err
	}
	leaderEpoch, err := required[int32](o, "leader_epoch", kindInt)
	if err != nil {
		return st, err
	}
	controllerEpoch, err := required[int32](o, "controller_epoch", kindInt)
	if err != nil {
		return st, err
	}
	raw, ok := o["isr"]
	if !ok {
		return st, fmt.Errorf("expected a key %q with %s, found none", "isr", kindInts)
	}
	set, err := ints(raw, `"isr"`)
	if err != nil {
		return st, err
	}
	recovery, _, err := field[int8](o, "leader_recovery_state", "0 or 1")
	if err != nil {
		return st, err
	}
	switch {
	case len(set) == 0:
		return st, fmt.Errorf("expected an ISR with at least one id, found %s", excerpt(raw))
	case leader < isr.NoLeader:
		return st, fmt.Errorf("expected a leader of -1 and more, found %d", leader)
	case leader != isr.NoLeader && !slices.Contains(set, leader):
		return st, fmt.Errorf("expected the leader to be in the ISR, found leader %d and ISR %v", leader, set)
	case leaderEpoch < 0 || controllerEpoch < 0:
		return st, fmt.Errorf("expected epochs of 0 and more, found leader_epoch %d and controller_epoch %d", leaderEpoch, controllerEpoch)
	case recovery != int8(isr.Recovered) && recovery != int8(isr.Recovering):
		return st, fmt.Errorf("expected \"leader_recovery_state\" to be 0 or 1, found %d", recovery)
	}
	return partition.State{
		LeaderAndISR: isr.LeaderAndISR{
			Leader: leader, LeaderEpoch: epoch.Leader(leaderEpoch), ISR: set,
			Recovery: isr.Recovery(recovery), PartitionEpoch: epoch.Partition(version),
		},
		ControllerEpoch: epoch.Controller(controllerEpoch),
	}, nil
}

// usualState reads what encodeState and Kafka write, character by character. False leaves the judgment to decodeState's long
// way, which is ten times slower.
func usualState(data []byte, version int32) (st partition.State, ok bool) {
	in := scan{data}
	controller := in.number(`{"controller_epoch":`)
	leader := in.number(`,"leader":`)
	in.text(`,"version":1`)
	leaderEpoch := in.number(`,"leader_epoch":`)
	in.text(`,"isr":[`)
	set := make([]int32, 0, 3)
	for first := true; len(in.rest) > 0 && in.rest[0] != ']'; first = false {
		comma := ","
		if first {
			comma = ""
		}
		id := in.number(comma)
		if in.rest == nil || id < 0 || slices.Contains(set, id) {
			return st, false
		}
		set = append(set, id)
	}
	in.text("]")
	recovery := isr.Recovered
	if len(in.rest) > 1 {
		in.text(`,"leader_recovery_state":1`)
		recovery = isr.Recovering
	}
	if string(in.rest) != "}" || len(set) == 0 || leader < isr.NoLeader || leader != isr.NoLeader && !slices.Contains(set, leader) ||
		leaderEpoch < 0 || controller < 0 {
		return st, false
	}
	return partition.State{
		LeaderAndISR: isr.LeaderAndISR{Leader: leader, LeaderEpoch: epoch.Leader(leaderEpoch), ISR: set, Recovery: recovery,
			PartitionEpoch: epoch.Partition(version)},
		ControllerEpoch: epoch.Controller(controller),
	}, true
}

// scan reads a text from its beginning; rest is nil after something that was not expected.
type scan struct{ rest []byte }

func (s *scan) text(want string) {
	if len(s.rest) < len(want) || string(s.rest[:len(want)]) != want {
		s.rest = nil
		return
	}
	s.rest = s.rest[len(want):]
}

// number reads a text and the number behind it, of up to nine digits and as JSON has it; larger ones are not usual.
func (s *scan) number(before string) (v int32) {
	s.text(before)
	negative := len(s.rest) > 0 && s.rest[0] == '-'
	if negative {
		s.rest = s.rest[1:]
	}
	n := 0
	for n < len(s.rest) && s.rest[n] >= '0' && s.rest[n] <= '9' {
		n++
	}
	if n == 0 || n > 9 || n > 1 && s.rest[0] == '0' {
		s.rest = nil
		return 0
	}
	for _, c := range s.rest[:n] {
		v = 10*v + int32(c-'0')
	}
	s.rest = s.rest[n:]
	if negative {
		return -v
	}
	return v
}

// sameState compares everything that is in the znode.
func sameState(a, b partition.State) bool {
	return a.ControllerEpoch == b.ControllerEpoch && a.SameContent(b.LeaderAndISR)
}
