package jute

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Record is a value with a wire form.
type Record interface {
	Append(b []byte) []byte
	Decode(d *Decoder)
}

// ErrShort says that a payload ends before its record does.
var ErrShort = errors.New("jute: payload too short")

// ErrLength says that a length is negative or longer than what is left.
var ErrLength = errors.New("jute: unreasonable length")

// ErrNull says that a string is null where the record needs one.
var ErrNull = errors.New("jute: null string")

// ErrTooLarge says that a frame is longer than the reader allows.
var ErrTooLarge = errors.New("jute: frame too large")

// Decoder reads records from one payload. After its first error it returns zeroes.
type Decoder struct {
	b   []byte
	err error
}

// NewDecoder returns a decoder of b, which it does not change. Buffers that it returns share b's memory.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

// Err is the first error.
func (d *Decoder) Err() error { return d.err }

// Rest is what has not been read.
func (d *Decoder) Rest() []byte { return d.b }

// Fail records an error, unless there already is one.
func (d *Decoder) Fail(err error) {
	if d.err == nil {
		d.err = err
		d.b = nil
	}
}

func (d *Decoder) take(n int) []byte {
	if n > len(d.b) {
		d.Fail(ErrShort)
	}
	if d.err != nil {
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

// Int reads 32 bits.
func (d *Decoder) Int() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// Long reads 64 bits.
func (d *Decoder) Long() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// Bool reads a byte; everything but zero is true, as it is to Java.
func (d *Decoder) Bool() bool {
	b := d.take(1)
	return b != nil && b[0] != 0
}

// Buffer reads a byte array: nil if it is null, otherwise a part of the payload.
func (d *Decoder) Buffer() []byte {
	n := d.Int()
	switch {
	case d.err != nil || n == -1:
		return nil
	case n < 0 || int(n) > len(d.b):
		d.Fail(fmt.Errorf("%w: %d bytes of %d", ErrLength, n, len(d.b)))
		return nil
	case n == 0:
		return []byte{}
	}
	return d.take(int(n))
}

// String reads a string that must not be null.
func (d *Decoder) String() string {
	b := d.Buffer()
	if b == nil {
		d.Fail(ErrNull)
	}
	return string(b)
}

// NullString reads a string that may be null.
func (d *Decoder) NullString() *string {
	b := d.Buffer()
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

// vector reads the number of elements; null is -1. Each element has at least size bytes, which bounds the number.
func (d *Decoder) vector(size int) int {
	n := d.Int()
	if d.err != nil {
		return -1
	}
	if n < -1 || int(n) > len(d.b)/size {
		d.Fail(fmt.Errorf("%w: %d elements in %d bytes", ErrLength, n, len(d.b)))
		return -1
	}
	return int(n)
}

// Strings reads a vector of strings.
func (d *Decoder) Strings() []string {
	n := d.vector(4)
	if n < 0 {
		return nil
	}
	v := make([]string, 0, n)
	for range n {
		v = append(v, d.String())
	}
	return v
}

// AppendInt writes 32 bits.
func AppendInt(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }

// AppendLong writes 64 bits.
func AppendLong(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

// AppendBool writes one byte.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendBuffer writes a byte array; nil is null.
func AppendBuffer(b, v []byte) []byte {
	if v == nil {
		return AppendInt(b, -1)
	}
	return append(AppendInt(b, int32(len(v))), v...)
}

// AppendString writes a string.
func AppendString(b []byte, v string) []byte {
	return append(AppendInt(b, int32(len(v))), v...)
}

// AppendNullString writes a string, or null.
func AppendNullString(b []byte, v *string) []byte {
	if v == nil {
		return AppendInt(b, -1)
	}
	return AppendString(b, *v)
}

// AppendStrings writes a vector of strings; nil is null.
func AppendStrings(b []byte, v []string) []byte {
	if v == nil {
		return AppendInt(b, -1)
	}
	b = AppendInt(b, int32(len(v)))
	for _, s := range v {
		b = AppendString(b, s)
	}
	return b
}

// Unmarshal decodes one record. Bytes after it are ignored, as ZooKeeper ignores them.
func Unmarshal(b []byte, r Record) error {
	d := Decoder{b: b}
	r.Decode(&d)
	return d.err
}

// AppendFrame writes a frame with the records one after the other.
func AppendFrame(b []byte, records ...Record) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	for _, r := range records {
		if r != nil {
			b = r.Append(b)
		}
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// ReadFrame reads one frame's payload into memory of its own. A frame longer than limit is ErrTooLarge and is not read.
func ReadFrame(r io.Reader, limit int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	return ReadPayload(r, int32(binary.BigEndian.Uint32(head[:])), limit)
}

// ReadPayload reads what follows a frame's length.
func ReadPayload(r io.Reader, length int32, limit int) ([]byte, error) {
	if length < 0 || int(length) > limit {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, length, limit)
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(r, b); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}
