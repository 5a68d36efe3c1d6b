// Package wire holds the bytes of Kafka's protocol: frames, headers, which versions
// Baton speaks, and the few places where the message library needs help. It knows
// nothing of the cluster and decides nothing.
//
// Messages themselves come from kmsg. What is ours:
//
//   - frame.go, header.go: length prefixes with a bound, and both headers;
//   - versions.go: our own version table. kmsg is newer than Kafka 3.9 and must never
//     decide what is advertised;
//   - codec.go: decoding that answers malformed input with an error, and the one place
//     that deals with kmsg's StopReplica v4, which swaps two fields;
//   - layout.go: a structural check before decoding, because kmsg believes the number
//     of tagged fields that a peer claims and would count to four billion.
//
// testdata holds the bytes that Kafka 3.9.1's own classes write.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	// MaxFrame is the bound for peers that are trusted: Kafka's socket.request.max.bytes.
	MaxFrame = 100 << 20
	// MaxUnauthenticatedFrame is the bound before a peer has proven who it is, as in
	// Kafka: an unknown peer must not be able to make us hold 100 MiB.
	MaxUnauthenticatedFrame = 512 << 10

	prefixLen = 4
	// growStep is how much memory a length prefix alone can make us allocate; the rest
	// follows as bytes really arrive.
	growStep = 64 << 10
)

// FrameSizeError says that a peer announced a frame that is negative or beyond the
// bound. The stream cannot be used any further.
type FrameSizeError struct {
	Size  int32
	Bound int
}

func (e *FrameSizeError) Error() string {
	return fmt.Sprintf("frame of %d bytes: not between 0 and the bound of %d", e.Size, e.Bound)
}

// ReadFrame reads one length-prefixed frame of at most bound bytes and returns its
// content, which reuses buf where it is large enough. The error is io.EOF only if the
// stream ended between two frames.
func ReadFrame(r io.Reader, buf []byte, bound int) ([]byte, error) {
	var prefix [prefixLen]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, err
	}
	size := int32(binary.BigEndian.Uint32(prefix[:]))
	if size < 0 || int(size) > bound {
		return nil, &FrameSizeError{Size: size, Bound: bound}
	}
	buf = buf[:0]
	for len(buf) < int(size) {
		// At least double each time, so that a large frame is copied O(1) times a byte.
		step := min(int(size)-len(buf), max(growStep, len(buf), cap(buf)-len(buf)))
		buf = slices.Grow(buf, step)
		chunk := buf[len(buf) : len(buf)+step]
		if _, err := io.ReadFull(r, chunk); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		buf = buf[:len(buf)+step]
	}
	return buf, nil
}

// BeginFrame appends room for a length prefix; EndFrame fills it in.
func BeginFrame(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// EndFrame writes the length prefix of a frame that starts at dst[start:].
func EndFrame(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-prefixLen))
	return dst
}

// WriteFrame writes body as one frame in a single call of w.Write, so that a frame is
// never left without its content by a failure in between.
func WriteFrame(w io.Writer, body []byte) error {
	b := append(BeginFrame(make([]byte, 0, prefixLen+len(body))), body...)
	_, err := w.Write(EndFrame(b, 0))
	return err
}
