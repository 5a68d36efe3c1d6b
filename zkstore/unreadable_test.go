package zkstore

import (
	"testing"

	"baton/planner"
)

// What cannot be understood is reported while it is there, kept as it was, and taken in again when it is mended.
func TestUnreadable(t *testing.T) {
	a, b := pair(t)
	ephemeral(t, b, pathBrokerIDs+"/1", brokerJSON)
	write(t, b, pathBatonIDs+"/x", "")
	const event = pathLogDirEvents + "/log_dir_event_0000000001"
	write(t, b, event, "{")
	f := follow(t, a, claim(t, a, 2000001))
	until(t, f, "a Baton's name", func(e planner.BatonsChanged) bool { return len(e.Bad) == 1 })
	until(t, f, "a notification", func(e planner.LogDirFailed) bool { return len(e.Bad) == 1 && len(e.Paths) == 0 })
	write(t, b, event, `{"version":1,"broker":3,"event":1}`)
	until(t, f, "it mended", func(e planner.LogDirFailed) bool { return len(e.Bad) == 0 && len(e.Paths) == 1 })

	const change = pathISRChanges + "/isr_change_0000000001"
	write(t, b, change, `{"version":1,"partitions":[{"topic":"t","partition":-1}]}`)
	until(t, f, "an ISR notification", func(e planner.ISRChanged) bool { return len(e.Bad) == 1 && len(e.Paths) == 0 })
	write(t, b, change, `{"version":1,"partitions":[]}`)
	until(t, f, "it mended", func(e planner.ISRChanged) bool { return len(e.Bad) == 0 && len(e.Paths) == 1 })

	const good = `{"version":1,"partitions":[{"topic":"y","partition":0,"replicas":[1]}]}`
	write(t, b, pathReassign, good)
	until(t, f, "a reassignment", func(e planner.WorkChanged) bool { return len(e.Reassigning.Items) == 1 })
	write(t, b, pathReassign, "{")
	until(t, f, "it spoilt", func(e planner.WorkChanged) bool { return len(e.Reassigning.Items) == 1 && len(e.Bad) == 1 })
	write(t, b, pathReassign, good)
	until(t, f, "it mended", func(e planner.WorkChanged) bool { return len(e.Reassigning.Items) == 1 && len(e.Bad) == 0 })

	write(t, b, pathBrokerIDs+"/1", "{")
	until(t, f, "a registration", func(e planner.BrokersChanged) bool {
		return len(e.Bad) == 1 && len(e.BadIDs) == 1 && len(e.Brokers) == 1 && e.Brokers[0].ID == 1
	})
	brokers, bad, err := a.ReadBrokers(t.Context())
	if err != nil || len(brokers) != 1 || len(bad) != 1 {
		t.Errorf("%+v, %+v, %v", brokers, bad, err)
	}
	erase(t, b, pathBrokerIDs+"/1")
	ephemeral(t, b, pathBrokerIDs+"/1", "{")
	until(t, f, "another incarnation", func(e planner.BrokersChanged) bool { return len(e.Bad) == 1 && len(e.Brokers) == 0 })
}

// A configuration that cannot be understood is not replaced by a new topic's.
func TestConfigIsNotOverwritten(t *testing.T) {
	a, b := pair(t)
	f := follow(t, a, claim(t, a, 2000001))
	write(t, b, topicConfigPath("t"), "{")
	w := planner.CreateTopic{Name: "t", ID: freshTopicID(), Partitions: []planner.PartitionRead{{}}}
	w.Partitions[0].Assignment.Replicas = []int32{1}
	if got, err := commitAll(t, f.Store, w); err != nil || got[0].Outcome != planner.Failed {
		t.Errorf("%+v, %v", got, err)
	}
	if n, err := b.get(t.Context(), topicConfigPath("t")); err != nil || string(n.data) != "{" {
		t.Errorf("%q, %v", n.data, err)
	}
	write(t, b, topicConfigPath("t"), `{"version":1,"config":{}}`)
	if got, err := commitAll(t, f.Store, w); err != nil || got[0].Outcome != planner.Applied {
		t.Errorf("%+v, %v", got, err)
	}
}
