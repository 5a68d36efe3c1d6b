package simbroker

import (
	"encoding/binary"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
)

// producerState is what a log remembers of an idempotent producer: its newest batches,
// of which a retry is recognised. Kafka keeps five, as many as a producer may have in
// flight.
type producerState struct {
	epoch  int16
	recent []sequenced
}

type sequenced struct {
	first, last int32
	base        int64
}

const producerBatches = 5

// producer returns a batch's producer, false for one that is not idempotent.
func (b *batch) producer() (id int64, epoch int16, s sequenced, ok bool) {
	id = int64(binary.BigEndian.Uint64(b.raw[atProducerID:]))
	epoch = int16(binary.BigEndian.Uint16(b.raw[atProducer:]))
	first := int32(binary.BigEndian.Uint32(b.raw[atSequence:]))
	return id, epoch, sequenced{first, wrap(first, b.lastDelta()), b.base}, id >= 0
}

// wrap adds to a sequence number; they start over at 0 after the largest.
func wrap(seq int32, n int64) int32 { return int32((int64(seq) + n) % (math.MaxInt32 + 1)) }

// remember notes a batch that is in the log, on leaders and followers alike.
func (l *plog) remember(b *batch) {
	id, epoch, s, ok := b.producer()
	if !ok {
		return
	}
	p := l.producers[id]
	if p == nil || p.epoch != epoch {
		p = &producerState{epoch: epoch}
		if l.producers == nil {
			l.producers = map[int64]*producerState{}
		}
		l.producers[id] = p
	}
	p.recent = append(p.recent, s)
	if len(p.recent) > producerBatches {
		p.recent = p.recent[1:]
	}
}

// sequence decides about a batch that is to be appended: known says at which offset it
// already is.
func (l *plog) sequence(b *batch) (at int64, known bool, err *kerr.Error) {
	id, epoch, s, ok := b.producer()
	if !ok {
		return 0, false, nil
	}
	p := l.producers[id]
	switch {
	case p == nil:
		return 0, false, nil // an unknown producer may start anywhere (KIP-360)
	case epoch < p.epoch:
		return 0, false, kerr.InvalidProducerEpoch
	case epoch > p.epoch:
		if s.first != 0 {
			return 0, false, kerr.OutOfOrderSequenceNumber
		}
		return 0, false, nil
	}
	for _, r := range p.recent {
		if r.first == s.first && r.last == s.last {
			return r.base, true, nil
		}
	}
	if newest := p.recent[len(p.recent)-1]; s.first != wrap(newest.last, 1) {
		return 0, false, kerr.OutOfOrderSequenceNumber
	}
	return 0, false, nil
}
