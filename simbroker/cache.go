package simbroker

import (
	"net"
	"strconv"

	"baton/partition"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// cache is the metadata cache (10.3): what UpdateMetadata told. It is the only place
// where a broker looks for other brokers and for the controller (10.5, 3.0+).
type cache struct {
	controller int32 // -1: none
	live       map[int32]liveBroker
	parts      map[partition.ID]kmsg.UpdateMetadataRequestTopicPartition
	ids        map[string][16]byte
	names      map[[16]byte]string
}

type liveBroker struct {
	id        int32
	rack      *string
	endpoints map[string]string // listener to host:port
}

func newCache() cache {
	return cache{controller: -1, live: map[int32]liveBroker{},
		parts: map[partition.ID]kmsg.UpdateMetadataRequestTopicPartition{}, ids: map[string][16]byte{}, names: map[[16]byte]string{}}
}

func (c *cache) alive(id int32) bool {
	_, ok := c.live[id]
	return ok
}

// address resolves a broker: id, live list, listener; "" if one of them is missing.
func (c *cache) address(id int32, listener string) string { return c.live[id].endpoints[listener] }

// leaderOf returns a cached partition's leader and epoch for an answer's hint.
func (c *cache) leaderOf(id partition.ID) (int32, int32) {
	if ps, ok := c.parts[id]; ok {
		return ps.Leader, ps.LeaderEpoch
	}
	return -1, -1
}

func (c *cache) topicOf(id [16]byte) (string, bool) {
	name, ok := c.names[id]
	return name, ok
}

// endpointNames: v0 has one address and v1-2 have only the protocol, by which the
// listener is called then.
var endpointNames = map[int16]string{0: "PLAINTEXT", 1: "SSL", 2: "SASL_PLAINTEXT", 3: "SASL_SSL"}

func newLiveBroker(b *kmsg.UpdateMetadataRequestLiveBroker, version int16) liveBroker {
	out := liveBroker{id: b.ID, rack: b.Rack, endpoints: map[string]string{}}
	if version == 0 {
		out.endpoints["PLAINTEXT"] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	for _, e := range b.Endpoints {
		name := e.ListenerName
		if version < 3 {
			name = endpointNames[e.SecurityProtocol]
		}
		out.endpoints[name] = net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
	}
	return out
}
