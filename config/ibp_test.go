package config

import "testing"

// TestParseIBP holds what MetadataVersion.fromVersionString of Kafka 3.9.1 answered; "" for refused.
func TestParseIBP(t *testing.T) {
	for given, want := range map[string]string{
		"0.9.0": "0.9.0", "0.9.0.1": "0.9.0", "0.10.0": "0.10.0-IV1", "0.10.0.1": "0.10.0-IV1", "0.10.0-IV0": "0.10.0-IV0",
		"0.10.0.0-IV0": "0.10.0-IV1", "0.10.1": "0.10.1-IV2", "0.10.2": "0.10.2-IV0", "0.11.0.3": "0.11.0-IV2", "0.11.0-IV1": "0.11.0-IV1",
		"1.0": "1.0-IV0", "1.0.0": "1.0-IV0", "1.0.0-IV0": "1.0-IV0", "1.1": "1.1-IV0", "2.0": "2.0-IV1", "2.1": "2.1-IV2", "2.2": "2.2-IV1",
		"2.3": "2.3-IV1", "2.4": "2.4-IV1", "2.4.1": "2.4-IV1", "2.4-IV0": "2.4-IV0", "2.4.1-IV0": "2.4-IV1", "2.4.foo": "2.4-IV1",
		"2.5": "2.5-IV0", "2.6": "2.6-IV0", "2.7": "2.7-IV2", "2.7-IV2": "2.7-IV2", "2.8": "2.8-IV1", "3.0": "3.0-IV1", "3.1": "3.1-IV0",
		"3.2": "3.2-IV0", "3.3": "3.3-IV3", "3.4": "3.4-IV0", "3.5": "3.5-IV2", "3.6": "3.6-IV2", "3.7": "3.7-IV4", "3.8": "3.8-IV0",
		"3.9": "3.9-IV0", "3.9.1": "3.9-IV0", "3.9-IV0": "3.9-IV0", " 2.4 ": "2.4-IV1",
		"": "", "2": "", "0.9": "", "0.10": "", "2.4-": "", "2.4-IV9": "", "2.4-iv1": "", "9": "", "latest": "",
		"0.8.2": "", "4.0": "", "4.0-IV0": "", // Kafka knows these, a controller of 2.4 to 3.9 brokers has no use for them
	} {
		v, err := ParseIBP(given)
		got := v.String()
		if err != nil {
			got = ""
		}
		if got != want {
			t.Errorf("%q: got %q (%v), want %q", given, got, err, want)
		}
	}
}

// TestIBPVersions is the table of the reference, 09-channel-manager.md 9.2, with StopReplica held at 3.
func TestIBPVersions(t *testing.T) {
	for _, tt := range []struct {
		ibp                                       string
		leaderAndIsr, updateMetadata, stopReplica int16
		feature                                   int32
		alter, ids, producers, recovery           bool
	}{
		{"0.9.0", 0, 1, 0, 0, false, false, false, false},
		{"0.10.0-IV0", 0, 1, 0, 0, false, false, false, false},
		{"0.10.0-IV1", 0, 2, 0, 0, false, false, false, false},
		{"0.10.2-IV0", 0, 3, 0, 0, false, false, false, false},
		{"1.0-IV0", 1, 4, 0, 0, false, false, false, false},
		{"2.1", 1, 4, 0, 0, false, false, false, false},
		{"2.2-IV0", 2, 5, 1, 0, false, false, false, false},
		{"2.4-IV0", 3, 5, 1, 0, false, false, false, false},
		{"2.4-IV1", 4, 6, 2, 0, false, false, false, false},
		{"2.5", 4, 6, 2, 0, false, false, false, false},
		{"2.6-IV0", 4, 6, 3, 0, false, false, false, false},
		{"2.7-IV0", 4, 6, 3, 1, false, false, false, false},
		{"2.7-IV1", 4, 6, 3, 1, false, false, false, false},
		{"2.7-IV2", 4, 6, 3, 1, true, false, false, false},
		{"2.8-IV0", 4, 6, 3, 1, true, true, false, false},
		{"2.8-IV1", 5, 7, 3, 1, true, true, false, false},
		{"3.0-IV0", 5, 7, 3, 1, true, true, true, false},
		{"3.1", 5, 7, 3, 1, true, true, true, false},
		{"3.2-IV0", 6, 7, 3, 1, true, true, true, true},
		{"3.3-IV0", 6, 7, 3, 2, true, true, true, true},
		{"3.4-IV0", 7, 8, 3, 2, true, true, true, true},
		{"3.9-IV0", 7, 8, 3, 2, true, true, true, true},
	} {
		v := mustIBP(tt.ibp)
		if v.LeaderAndIsr() != tt.leaderAndIsr || v.UpdateMetadata() != tt.updateMetadata || v.StopReplica() != tt.stopReplica {
			t.Errorf("%s: %d %d %d", tt.ibp, v.LeaderAndIsr(), v.UpdateMetadata(), v.StopReplica())
		}
		if v.FeatureNode() != tt.feature || v.AlterPartition() != tt.alter || v.TopicIDs() != tt.ids ||
			v.AllocateProducerIDs() != tt.producers || v.LeaderRecovery() != tt.recovery {
			t.Errorf("%s: %d %v %v %v %v", tt.ibp, v.FeatureNode(), v.AlterPartition(), v.TopicIDs(),
				v.AllocateProducerIDs(), v.LeaderRecovery())
		}
	}
}

func TestIBPOrder(t *testing.T) {
	if n := len(ibpNames); n != 52 {
		t.Errorf("%d versions; Kafka 3.9.1 has 52 from 0.9.0 to 3.9-IV0", n)
	}
	for i := 1; i < len(ibpNames); i++ {
		if a, b := IBP(i-1), IBP(i); a.Compare(b) >= 0 || b.Compare(a) <= 0 || b.Compare(b) != 0 {
			t.Errorf("%s, %s", a, b)
		}
	}
	if LatestIBP.String() != "3.9-IV0" || IBP(-1).String() != "IBP(-1)" {
		t.Error("order or spelling")
	}
}
