package config

import (
	"cmp"
	"fmt"
	"strings"
)

// IBP is an inter.broker.protocol.version: a position in the ordered list of protocol versions that ZooKeeper-mode
// Kafka ever had, 0.9.0 to 3.9-IV0. Later protocols are greater, so < and Compare order them. The zero value is 0.9.0.
type IBP int

// ibpReleases lists each release with the number of its internal versions (IV0 … IVn-1), oldest first. 0.9.0 is the
// one release that has no -IV spelling.
var ibpReleases = []struct {
	name string
	ivs  int
}{
	{"0.9.0", 0},
	{"0.10.0", 2}, {"0.10.1", 3}, {"0.10.2", 1}, {"0.11.0", 3}, {"1.0", 1}, {"1.1", 1}, {"2.0", 2}, {"2.1", 3},
	{"2.2", 2}, {"2.3", 2}, {"2.4", 2}, {"2.5", 1}, {"2.6", 1}, {"2.7", 3}, {"2.8", 2}, {"3.0", 2}, {"3.1", 1},
	{"3.2", 1}, {"3.3", 4}, {"3.4", 1}, {"3.5", 3}, {"3.6", 3}, {"3.7", 5}, {"3.8", 1}, {"3.9", 1},
}

// ibpNames are the canonical spellings by IBP; ibpByName has the short spellings as well (the release's latest IV).
var ibpNames, ibpByName = buildIBP()

func buildIBP() ([]string, map[string]IBP) {
	var names []string
	byName := make(map[string]IBP)
	for _, r := range ibpReleases {
		if r.ivs == 0 {
			byName[r.name] = IBP(len(names))
			names = append(names, r.name)
		}
		for iv := range r.ivs {
			name := fmt.Sprintf("%s-IV%d", r.name, iv)
			byName[name] = IBP(len(names))
			byName[r.name] = IBP(len(names))
			names = append(names, name)
		}
	}
	return names, byName
}

func mustIBP(s string) IBP {
	v, ok := ibpByName[s]
	if !ok {
		panic("config: no such protocol version: " + s)
	}
	return v
}

// LatestIBP is the default: 3.9-IV0, the last protocol a ZooKeeper-mode broker can speak.
var LatestIBP = mustIBP("3.9-IV0")

// The protocols at which something a controller sends or decides changes.
var (
	ibp0100IV1 = mustIBP("0.10.0-IV1")
	ibp0102IV0 = mustIBP("0.10.2-IV0")
	ibp10IV0   = mustIBP("1.0-IV0")
	ibp22IV0   = mustIBP("2.2-IV0")
	ibp24IV0   = mustIBP("2.4-IV0")
	ibp24IV1   = mustIBP("2.4-IV1")
	ibp26IV0   = mustIBP("2.6-IV0")
	ibp27IV0   = mustIBP("2.7-IV0")
	ibp27IV2   = mustIBP("2.7-IV2")
	ibp28IV0   = mustIBP("2.8-IV0")
	ibp28IV1   = mustIBP("2.8-IV1")
	ibp30IV0   = mustIBP("3.0-IV0")
	ibp32IV0   = mustIBP("3.2-IV0")
	ibp33IV0   = mustIBP("3.3-IV0")
	ibp34IV0   = mustIBP("3.4-IV0")
)

// ParseIBP accepts what MetadataVersion.fromVersionString of Kafka 3.9 accepts from 0.9.0 up to 3.9-IV0: a release
// ("2.4", meaning its latest internal version), an internal version ("2.4-IV1"), or a full release number of which
// everything after the release is ignored ("2.4.1" is 2.4). White space around it is trimmed, case counts. The error
// says what was expected.
func ParseIBP(s string) (IBP, error) {
	s = trim(s)
	parts := strings.Split(s, ".")
	n := 2
	if parts[0] == "0" {
		n = 3
	}
	if v, ok := ibpByName[strings.Join(parts[:min(n, len(parts))], ".")]; ok {
		return v, nil
	}
	switch {
	case strings.HasPrefix(s, "0.8."):
		return 0, fmt.Errorf("a protocol version of at least 0.9.0")
	case strings.HasPrefix(s, "4."):
		return 0, fmt.Errorf("a protocol version up to 3.9-IV0 (4.x has no ZooKeeper mode)")
	}
	return 0, fmt.Errorf("an inter-broker protocol version such as 2.4, 2.7-IV2 or 3.9-IV0")
}

// String is Kafka's canonical spelling, the one DescribeConfigs shows ("3.9-IV0").
func (v IBP) String() string {
	if v < 0 || int(v) >= len(ibpNames) {
		return fmt.Sprintf("IBP(%d)", int(v))
	}
	return ibpNames[v]
}

// Compare is negative when v is older than o, 0 when they are the same, positive when v is newer.
func (v IBP) Compare(o IBP) int { return cmp.Compare(v, o) }

type versionStep struct {
	from    IBP
	version int16
}

// at returns the version of the last step that v has reached; steps are oldest first.
func (v IBP) at(base int16, steps ...versionStep) int16 {
	for _, s := range steps {
		if v >= s.from {
			base = s.version
		}
	}
	return base
}

// LeaderAndIsr is the highest LeaderAndIsr version a controller with this protocol sends. The caller still takes the
// minimum with what the broker's binary reads.
func (v IBP) LeaderAndIsr() int16 {
	return v.at(0, versionStep{ibp10IV0, 1}, versionStep{ibp22IV0, 2}, versionStep{ibp24IV0, 3},
		versionStep{ibp24IV1, 4}, versionStep{ibp28IV1, 5}, versionStep{ibp32IV0, 6}, versionStep{ibp34IV0, 7})
}

// UpdateMetadata is the highest UpdateMetadata version a controller with this protocol sends.
func (v IBP) UpdateMetadata() int16 {
	return v.at(1, versionStep{ibp0100IV1, 2}, versionStep{ibp0102IV0, 3}, versionStep{ibp10IV0, 4},
		versionStep{ibp22IV0, 5}, versionStep{ibp24IV1, 6}, versionStep{ibp28IV1, 7}, versionStep{ibp34IV0, 8})
}

// StopReplica is the highest StopReplica version Baton sends with this protocol. From 3.4-IV0 Kafka's controller
// sends v4; Baton stays at v3, because kmsg writes two of v4's fields in the wrong order (a broker would read a huge
// controller epoch and refuse everything after), and v3 says the same and is read by every broker since 2.6.
func (v IBP) StopReplica() int16 {
	return v.at(0, versionStep{ibp22IV0, 1}, versionStep{ibp24IV1, 2}, versionStep{ibp26IV0, 3})
}

// FeatureNode is the version in which /feature is written with this protocol: 0 is not at all (below 2.7-IV0, KIP-584),
// 2 is without min_version_level (from 3.3-IV0, KIP-778).
func (v IBP) FeatureNode() int32 {
	return int32(v.at(0, versionStep{ibp27IV0, 1}, versionStep{ibp33IV0, 2}))
}

// AlterPartition reports whether leaders change the ISR through the controller (KIP-497, 2.7-IV2) and not in ZooKeeper.
func (v IBP) AlterPartition() bool { return v >= ibp27IV2 }

// TopicIDs reports whether topics get ids (KIP-516, 2.8-IV0).
func (v IBP) TopicIDs() bool { return v >= ibp28IV0 }

// AllocateProducerIDs reports whether brokers ask the controller for producer id blocks (KIP-730, 3.0-IV0).
func (v IBP) AllocateProducerIDs() bool { return v >= ibp30IV0 }

// LeaderRecovery reports whether an unclean election marks the leader RECOVERING (KIP-704, 3.2-IV0).
func (v IBP) LeaderRecovery() bool { return v >= ibp32IV0 }
