package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	"baton/wire"
)

// Both controllers send these versions to stubs: the newest that inter-broker protocol 3.9 has, and Baton StopReplica 3.
const (
	leaderAndISRVersion   = 7
	updateMetadataVersion = 8
	stopReplicaVersion    = 4 // or less
)

var errShort = errors.New("the request ends too early")

// scan walks over the bytes of a control request without copying them: stubs share the machine with whom they time.
type scan struct {
	b   []byte
	err error
}

func (s *scan) next(n int) []byte {
	if s.err != nil || n < 0 || n > len(s.b) {
		s.err = errShort
		return make([]byte, min(max(n, 0), 16))
	}
	out := s.b[:n]
	s.b = s.b[n:]
	return out
}

func (s *scan) i32() int32 { return int32(binary.BigEndian.Uint32(s.next(4))) }

// count is the length of a compact string or array.
func (s *scan) count() int {
	v, n := binary.Uvarint(s.b)
	if s.err != nil || n <= 0 || v > uint64(len(s.b))+1 {
		s.err = errShort
		return 0
	}
	s.b = s.b[n:]
	return max(0, int(v)-1)
}

func (s *scan) tags() {
	if n := s.next(1)[0]; n != 0 && s.err == nil {
		s.err = fmt.Errorf("%d tagged fields, which neither controller sends", n)
	}
}

// control is what a request says besides partitions.
type control struct {
	key             int16
	controllerEpoch int32
}

// visitor is told of each topic, and then of each partition of it.
type visitor struct {
	topic     func(name, id []byte, partitions int)
	partition func(number int32, h heard)
}

// walk visits the partitions of a LeaderAndIsr v7 or an UpdateMetadata v8 (kmsg has their fields).
func walk(key int16, body []byte, v visitor) (control, error) {
	s := &scan{b: body}
	s.next(4 + 1) // the controller's id, and whether it is KRaft's
	c := control{key: key, controllerEpoch: s.i32()}
	s.next(8) // the broker's epoch
	if key == wire.LeaderAndIsr {
		s.next(1) // type
	}
	for range s.count() {
		name := s.next(s.count())
		id := s.next(16)
		n := s.count()
		v.topic(name, id, n)
		for range n {
			number := s.i32()
			s.next(4) // the epoch of the controller that wrote it
			h := heard{controller: c.controllerEpoch, leader: s.i32(), epoch: s.i32()}
			for range s.count() {
				id := s.i32()
				if int(h.n) < len(h.isr) {
					h.isr[h.n] = id
					h.n++
				}
			}
			s.next(4)             // the znode's version
			s.next(4 * s.count()) // replicas
			s.next(4 * s.count()) // adding, or offline
			if key == wire.LeaderAndIsr {
				s.next(4 * s.count()) // removing
				s.next(2)             // is new, recovery state
			}
			s.tags()
			if s.err != nil {
				return c, s.err
			}
			v.partition(number, h)
		}
		s.tags()
	}
	return c, s.err
}

// welcome answers a LeaderAndIsr with success for each of its partitions.
func welcome(body []byte) ([]byte, error) {
	out := make([]byte, 2+5, 64+len(body)/4) // no error; the number of topics, which is known in the end, goes before them
	topics, first := 0, true
	_, err := walk(wire.LeaderAndIsr, body, visitor{
		topic: func(_, id []byte, n int) {
			if !first {
				out = append(out, 0)
			}
			first, topics = false, topics+1
			out = binary.AppendUvarint(append(out, id...), uint64(n+1))
		},
		partition: func(number int32, _ heard) {
			out = append(binary.BigEndian.AppendUint32(out, uint32(number)), 0, 0, 0)
		},
	})
	if err != nil {
		return nil, err
	}
	if !first {
		out = append(out, 0)
	}
	count := binary.AppendUvarint(nil, uint64(topics+1))
	at := 2 + 5 - len(count)
	copy(out[at:], count)
	at -= 2
	copy(out[at:], []byte{0, 0})
	return append(out[at:], 0), nil
}
