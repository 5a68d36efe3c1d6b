package server

import (
	"maps"
	"sync"
)

// The keys that code refers to by name.
const (
	keyProduce                 int16 = 0
	keyMetadata                int16 = 3
	keyLeaderAndISR            int16 = 4
	keyStopReplica             int16 = 5
	keyUpdateMetadata          int16 = 6
	keyControlledShutdown      int16 = 7
	keyFindCoordinator         int16 = 10
	keyListGroups              int16 = 16
	keyAPIVersions             int16 = 18
	keyCreateTopics            int16 = 19
	keyDeleteTopics            int16 = 20
	keyInitProducerID          int16 = 22
	keyDescribeConfigs         int16 = 32
	keyAlterConfigs            int16 = 33
	keyAlterReplicaLogDirs     int16 = 34
	keyDescribeLogDirs         int16 = 35
	keyCreatePartitions        int16 = 37
	keyElectLeaders            int16 = 43
	keyIncrementalAlterConfigs int16 = 44
	keyAlterReassignments      int16 = 45
	keyListReassignments       int16 = 46
	keyAlterUserSCRAM          int16 = 51
	keyAlterPartition          int16 = 56
	keyUpdateFeatures          int16 = 57
	keyDescribeCluster         int16 = 60
	keyDescribeProducers       int16 = 61
	keyListTransactions        int16 = 66
	keyAllocateProducerIDs     int16 = 67
)

// passable is one API that may be passed on to a broker.
type passable struct {
	oldest int16 // highest version that a 2.4 broker has; -1: none
	newest int16 // highest version that a 3.9 broker has
	// again: reads only, so that it may be sent once more after its outcome is unknown.
	again bool
}

// proxied lists what clients send to any node, or to a node that the metadata names as
// leader or coordinator, which Baton never is: the broker then says so itself. APIs
// between brokers are not here: a broker never sends them to a controller.
var proxied = map[int16]passable{
	keyProduce:         {8, 11, false},
	1:                  {11, 17, true}, // Fetch
	2:                  {5, 9, true},   // ListOffsets
	keyMetadata:        {9, 12, true},  // standby; may create a topic, which is the same twice
	8:                  {8, 9, false},  // OffsetCommit
	9:                  {6, 9, true},   // OffsetFetch
	keyFindCoordinator: {3, 6, true},   // standby; as Metadata
	11:                 {6, 9, false},  // JoinGroup
	12:                 {4, 4, false},  // Heartbeat
	13:                 {4, 5, false},  // LeaveGroup
	14:                 {4, 5, false},  // SyncGroup
	15:                 {5, 5, true},   // DescribeGroups
	21:                 {1, 2, false},  // DeleteRecords
	keyInitProducerID:  {2, 5, false},  // see resend
	23:                 {3, 4, true},   // OffsetForLeaderEpoch
	24:                 {1, 5, false},  // AddPartitionsToTxn
	25:                 {1, 4, false},  // AddOffsetsToTxn
	26:                 {1, 4, false},  // EndTxn
	28:                 {2, 4, false},  // TxnOffsetCommit
	29:                 {1, 3, true},   // DescribeAcls
	30:                 {1, 3, false},  // CreateAcls
	31:                 {1, 3, false},  // DeleteAcls
	keyDescribeConfigs: {2, 4, true},   //
	keyAlterConfigs:    {1, 2, false},  //
	38:                 {2, 3, false},  // CreateDelegationToken
	39:                 {1, 2, false},  // RenewDelegationToken
	40:                 {1, 2, false},  // ExpireDelegationToken
	41:                 {1, 3, true},   // DescribeDelegationToken
	42:                 {2, 2, false},  // DeleteGroups
	44:                 {1, 1, false},  // IncrementalAlterConfigs
	47:                 {0, 0, false},  // OffsetDelete
	48:                 {-1, 1, true},  // DescribeClientQuotas
	49:                 {-1, 1, false}, // AlterClientQuotas
	50:                 {-1, 0, true},  // DescribeUserScramCredentials
	keyDescribeCluster: {-1, 1, true},  // standby
	65:                 {-1, 0, true},  // DescribeTransactions
	68:                 {-1, 0, false}, // ConsumerGroupHeartbeat
	69:                 {-1, 0, true},  // ConsumerGroupDescribe
}

// versions is what the live brokers said they offer.
type versions struct {
	mu       sync.Mutex
	byBroker map[int32]map[int16][2]int16
	common   map[int16][2]int16 // intersection of byBroker with proxied; nil: to be computed
}

func (v *versions) set(broker int32, keys map[int16][2]int16) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if keys == nil {
		delete(v.byBroker, broker)
	} else {
		v.byBroker[broker] = maps.Clone(keys)
	}
	v.common = nil
}

// passing returns the versions of proxied APIs that every live broker takes. When no
// broker is known yet it is what the oldest supported release takes. The map is shared
// and never written again.
func (v *versions) passing() map[int16][2]int16 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.common == nil {
		v.common = intersect(v.byBroker)
	}
	return v.common
}

func intersect(byBroker map[int32]map[int16][2]int16) map[int16][2]int16 {
	out := map[int16][2]int16{}
	for key, p := range proxied {
		r := [2]int16{0, p.newest}
		if len(byBroker) == 0 {
			r[1] = p.oldest
		}
		for _, keys := range byBroker {
			if have, ok := keys[key]; ok {
				r = [2]int16{max(r[0], have[0]), min(r[1], have[1])}
			} else {
				r[1] = -1
			}
		}
		if r[0] <= r[1] {
			out[key] = r
		}
	}
	return out
}

// offered returns what ApiVersions advertises now. What Baton answers itself while it
// is active is passed on while it is not, so a standby offers no more than brokers do.
func (s *Server) offered() map[int16][2]int16 {
	out := maps.Clone(s.learned.passing())
	active := s.ctl.Active()
	for key, a := range s.apis {
		switch {
		case a.passing:
		case active || a.standby != nil:
			out[key] = [2]int16{a.min, a.max}
		default:
			if r, ok := out[key]; ok {
				if r = ([2]int16{max(r[0], a.min), min(r[1], a.max)}); r[0] <= r[1] {
					out[key] = r
				}
			}
		}
	}
	return out
}
