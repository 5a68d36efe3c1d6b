package simbroker

import (
	"encoding/binary"
	"errors"
	"slices"
)

// noEpoch is an unknown leader epoch, -1 as on the wire.
const noEpoch int32 = -1

// plog is one replica's log: record batches as they came over the wire, and the leader
// epochs with their first offsets (KIP-101). Logs start at offset 0: nothing is
// deleted.
type plog struct {
	batches    []batch
	epochs     []epochStart
	producers  map[int64]*producerState
	topicID    [16]byte // partition.metadata, 2.8+
	flushed    int64    // offset up to which a machine's crash loses nothing
	checkpoint int64    // the high watermark on disk
}

// batch is one record batch; raw starts with its base offset.
type batch struct {
	base, last   int64
	epoch        int32
	maxTimestamp int64
	raw          []byte
}

type epochStart struct {
	epoch int32
	start int64
}

// end is the log end offset: the offset of the next record.
func (l *plog) end() int64 {
	if n := len(l.batches); n > 0 {
		return l.batches[n-1].last + 1
	}
	return 0
}

// lastEpoch is the epoch of the newest entry, noEpoch if there is none.
func (l *plog) lastEpoch() int32 {
	if n := len(l.epochs); n > 0 {
		return l.epochs[n-1].epoch
	}
	return noEpoch
}

// startEpoch notes that an epoch begins at the end of the log: a new leader does so
// before it writes anything.
func (l *plog) startEpoch(epoch int32) { l.noteEpoch(epoch, l.end()) }

func (l *plog) noteEpoch(epoch int32, start int64) {
	if epoch <= l.lastEpoch() {
		return
	}
	// An epoch that began where this one does has no records.
	l.epochs = slices.DeleteFunc(l.epochs, func(e epochStart) bool { return e.start >= start })
	l.epochs = append(l.epochs, epochStart{epoch, start})
}

// endOf returns where an epoch ends in this log, and which epoch that really is: the
// largest one not above it. found is false for an epoch beyond all that are known.
func (l *plog) endOf(epoch int32) (actual int32, end int64, found bool) {
	if epoch == noEpoch || len(l.epochs) == 0 {
		return noEpoch, -1, false
	}
	if epoch == l.lastEpoch() {
		return epoch, l.end(), true
	}
	next := slices.IndexFunc(l.epochs, func(e epochStart) bool { return e.epoch > epoch })
	switch next {
	case -1:
		return noEpoch, -1, false
	case 0: // older than everything here
		return epoch, l.epochs[0].start, true
	}
	return l.epochs[next-1].epoch, l.epochs[next].start, true
}

// truncate removes all records from an offset on. A batch that spans it goes as a whole,
// as in Kafka.
func (l *plog) truncate(to int64) {
	n := len(l.batches)
	for n > 0 && l.batches[n-1].last >= to {
		n--
	}
	clear(l.batches[n:])
	l.batches = l.batches[:n]
	end := l.end()
	// Also without a record to remove: a leader that wrote nothing has noted its epoch.
	l.epochs = slices.DeleteFunc(l.epochs, func(e epochStart) bool { return e.start >= end })
	l.flushed = min(l.flushed, end)
	l.producers = nil
	for i := range l.batches {
		l.remember(&l.batches[i])
	}
}

// append adds a batch at its offset and notes its epoch and its producer.
func (l *plog) append(b batch) {
	l.noteEpoch(b.epoch, b.base)
	l.batches = append(l.batches, b)
	l.remember(&b)
}

// read returns batches from an offset up to a bound, at least one if there is any
// below it.
func (l *plog) read(from, upTo int64, maxBytes int32) []byte {
	i, _ := slices.BinarySearchFunc(l.batches, from, func(b batch, o int64) int {
		if b.last < o {
			return -1
		}
		return 1
	})
	var out []byte
	for ; i < len(l.batches) && l.batches[i].last < upTo; i++ {
		if len(out) > 0 && len(out)+len(l.batches[i].raw) > int(maxBytes) {
			break
		}
		out = append(out, l.batches[i].raw...)
	}
	return out
}

// Offsets in a record batch of format v2.
const (
	batchHeader    = 61
	atLength       = 8
	atEpoch        = 12
	atMagic        = 16
	atLastDelta    = 23
	atMaxTimestamp = 35
	atProducerID   = 43
	atProducer     = 51
	atSequence     = 53
)

var errCorrupt = errors.New("not a record batch of format v2")

// parseBatches splits a record set. The bytes are copied: base offset and epoch are
// written into them.
func parseBatches(raw []byte) (out []batch, err error) {
	for len(raw) > 0 {
		if len(raw) < batchHeader {
			return nil, errCorrupt
		}
		size := int(int32(binary.BigEndian.Uint32(raw[atLength:]))) + 12
		if size < batchHeader || size > len(raw) || raw[atMagic] != 2 {
			return nil, errCorrupt
		}
		b := batch{raw: slices.Clone(raw[:size])}
		b.base = int64(binary.BigEndian.Uint64(b.raw))
		b.last = b.base + b.lastDelta()
		b.epoch = int32(binary.BigEndian.Uint32(b.raw[atEpoch:]))
		b.maxTimestamp = int64(binary.BigEndian.Uint64(b.raw[atMaxTimestamp:]))
		if b.last < b.base {
			return nil, errCorrupt
		}
		out, raw = append(out, b), raw[size:]
	}
	return out, nil
}

func (b *batch) lastDelta() int64 { return int64(int32(binary.BigEndian.Uint32(b.raw[atLastDelta:]))) }

// place gives a batch its offset and epoch, which its checksum does not cover.
func (b *batch) place(base int64, epoch int32) {
	b.base, b.last, b.epoch = base, base+b.lastDelta(), epoch
	binary.BigEndian.PutUint64(b.raw, uint64(base))
	binary.BigEndian.PutUint32(b.raw[atEpoch:], uint32(epoch))
}
