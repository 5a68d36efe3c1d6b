package zkstore

import (
	"fmt"
	"slices"
	"strconv"

	"baton/epoch"
	"baton/isr"
	"baton/partition"
)

// encodeState writes the content of a state znode; the PartitionEpoch is not part of it.
func encodeState(st partition.State) []byte {
	b := make([]byte, 0, 96)
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

func decodeState(data []byte, version int32) (st partition.State, err error) {
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

// sameState compares everything that is in the znode.
func sameState(a, b partition.State) bool {
	return a.ControllerEpoch == b.ControllerEpoch && a.SameContent(b.LeaderAndISR)
}
