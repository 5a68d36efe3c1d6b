package wire

import "slices"

// Kafka's api keys, for the requests that Baton serves or sends.
const (
	Metadata                    int16 = 3
	LeaderAndIsr                int16 = 4
	StopReplica                 int16 = 5
	UpdateMetadata              int16 = 6
	ControlledShutdown          int16 = 7
	FindCoordinator             int16 = 10
	ApiVersions                 int16 = 18
	CreateTopics                int16 = 19
	DeleteTopics                int16 = 20
	InitProducerID              int16 = 22
	CreatePartitions            int16 = 37
	ElectLeaders                int16 = 43
	AlterPartitionReassignments int16 = 45
	ListPartitionReassignments  int16 = 46
	AlterUserScramCredentials   int16 = 51
	AlterPartition              int16 = 56
	UpdateFeatures              int16 = 57
	DescribeCluster             int16 = 60
	AllocateProducerIDs         int16 = 67
)

// Range is the versions of one request that are spoken, both ends included.
type Range struct{ Min, Max int16 }

// Has reports whether v is in the range.
func (r Range) Has(v int16) bool { return v >= r.Min && v <= r.Max }

// KeyRange is a Range with its key.
type KeyRange struct {
	Key int16
	Range
}

// served is what Baton can decode and answer: never more than Kafka 3.9 has, because
// kmsg is newer, and advertising a version is a promise about its meaning as well.
// Sorted by key.
var served = []KeyRange{
	{Metadata, Range{0, 12}},
	{LeaderAndIsr, Range{0, 7}}, // 4–6: a fallback controller may take us for a broker
	{StopReplica, Range{0, 4}},
	{UpdateMetadata, Range{0, 8}},
	{ControlledShutdown, Range{1, 3}}, // v0 has a header of its own and is refused
	{FindCoordinator, Range{0, 6}},    // 4, 5 and 6 have the same bytes
	{ApiVersions, Range{0, 4}},
	{CreateTopics, Range{0, 7}},
	{DeleteTopics, Range{0, 6}},
	{InitProducerID, Range{0, 5}}, // 4 and 5 have the same bytes
	{CreatePartitions, Range{0, 3}},
	{ElectLeaders, Range{0, 2}},
	{AlterPartitionReassignments, Range{0, 0}},
	{ListPartitionReassignments, Range{0, 0}},
	{AlterUserScramCredentials, Range{0, 0}},
	{AlterPartition, Range{0, 3}},
	{UpdateFeatures, Range{0, 1}},
	{DescribeCluster, Range{0, 1}},
	{AllocateProducerIDs, Range{0, 0}},
}

// Served returns the table of what Baton speaks, sorted by key; the copy is the caller's.
func Served() []KeyRange { return slices.Clone(served) }

// ServedRange returns the versions of one key, false if it is not spoken at all.
func ServedRange(key int16) (Range, bool) {
	for _, k := range served {
		if k.Key == key {
			return k.Range, true
		}
	}
	return Range{}, false
}

// maxStopReplica is the highest StopReplica version ever sent. kmsg writes v4 with two
// fields swapped: a broker would take isKRaftController and the first bytes of the
// epoch for a far higher controller epoch, adopt it, and refuse every controller until
// it is restarted. v3 says the same and is read by every broker from 2.6.
const maxStopReplica = 3

// SendVersion returns the version of a control request to send: no higher than what
// is configured (the inter-broker protocol's), than the broker's maximum, and than
// what this package may send. AppendRequest refuses what this function never returns.
func SendVersion(key, configured, brokerMax int16) int16 {
	v := min(configured, brokerMax)
	if key == StopReplica {
		v = min(v, maxStopReplica)
	}
	return v
}
