package channel

import (
	"bytes"
	"encoding/binary"
	"sync"
	"weak"

	"baton/planner"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// body is what an UpdateMetadata has behind the broker epoch: topics, partitions and live brokers. All brokers that
// are told the same at the same version share its bytes.
type body struct {
	once sync.Once
	tail []byte
}

type bodyKey struct {
	body    uint64 // planner.Request.Body
	version int16
}

// bodies finds the bodies that are in use. It keeps none alive: what no channel is writing goes with the next garbage
// collection, and channels that ask a little later than the others still find it until then.
type bodies struct {
	mu sync.Mutex
	m  map[bodyKey]weak.Pointer[body]
}

func (b *bodies) find(k bodyKey) *body {
	b.mu.Lock()
	defer b.mu.Unlock()
	if shared := b.m[k].Value(); shared != nil {
		return shared
	}
	for old, p := range b.m {
		if p.Value() == nil {
			delete(b.m, old)
		}
	}
	shared := new(body)
	b.m[k] = weak.Make(shared)
	return shared
}

// shared returns the bytes that a request has in common with all others of its Body. Of channels that ask at once one
// encodes and the others wait.
func (m *Manager) shared(r *planner.Request, version int16) []byte {
	b := m.bodies.find(bodyKey{r.Body, version})
	b.once.Do(func() {
		e := m.encoders.Get().(*encoder)
		defer m.encoders.Put(e)
		e.buf = e.updateMetadata(r, version).AppendTo(e.buf[:0])
		e.release()
		b.tail = bytes.Clone(e.buf[ownBytes(version):])
	})
	return b.tail
}

// ownBytes is how many bytes at the beginning of an UpdateMetadata are the one broker's: controller, from version 8 on
// whether it is KRaft's, controller epoch, and from version 5 on the broker epoch.
func ownBytes(version int16) int {
	switch {
	case version < 5:
		return 4 + 4
	case version < 8:
		return 4 + 4 + 8
	}
	return 4 + 1 + 4 + 8
}

// appendHead appends the beginning of an UpdateMetadata's frame: all that is the one broker's, of which tail follows.
func appendHead(dst []byte, r *planner.Request, version int16, clientID *string, correlation int32, tail []byte) []byte {
	start := len(dst)
	dst = wire.BeginFrame(dst)
	dst = wire.AppendRequestHeader(dst, wire.RequestHeader{Key: wire.UpdateMetadata, Version: version, CorrelationID: correlation, ClientID: clientID})
	own := len(dst) + ownBytes(version)
	m := kmsg.UpdateMetadataRequest{Version: version, ControllerID: r.ControllerID, ControllerEpoch: int32(r.ControllerEpoch), BrokerEpoch: int64(r.BrokerEpoch)}
	dst = m.AppendTo(dst)[:own]
	binary.BigEndian.PutUint32(dst[start:], uint32(own-start-4+len(tail)))
	return dst
}
