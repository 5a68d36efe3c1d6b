package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// header is a request's header. body is where the request itself starts in the frame.
type header struct {
	key, version int16
	correlation  int32
	body         int
}

var errShort = errors.New("frame ends inside its header")

// minFrame is key, version, correlation id and the length of the client id.
const minFrame = 10

// readFrame reads one frame without its length into buf, which it reuses. Memory grows
// with the bytes that arrive, not with the length that the peer claims.
func readFrame(r io.Reader, buf []byte, limit int) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(size[:])))
	if n < minFrame || n > limit {
		return nil, fmt.Errorf("%w: a frame of %d bytes", errMalformed, n)
	}
	buf = buf[:0]
	for len(buf) < n {
		step := min(n-len(buf), max(len(buf), 16<<10))
		at := len(buf)
		buf = append(buf, make([]byte, step)...)
		if _, err := io.ReadFull(r, buf[at:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return buf, nil
}

// parseStart reads the fixed part of a header, which every version has.
func parseStart(frame []byte) (header, error) {
	if len(frame) < minFrame {
		return header{}, errShort
	}
	return header{
		key:         int16(binary.BigEndian.Uint16(frame)),
		version:     int16(binary.BigEndian.Uint16(frame[2:])),
		correlation: int32(binary.BigEndian.Uint32(frame[4:])),
	}, nil
}

// parseRest finds the body behind the client id and, in flexible versions, the tags.
// The client id keeps its two-byte length in flexible headers.
func (h *header) parseRest(frame []byte, flexible bool) error {
	at := 8
	if n := int(int16(binary.BigEndian.Uint16(frame[at:]))); n > 0 {
		at += n
	} else if n < -1 {
		return fmt.Errorf("a client id of %d bytes", n)
	}
	at += 2
	if at > len(frame) {
		return errShort
	}
	if flexible {
		n, err := skipTags(frame[at:])
		if err != nil {
			return err
		}
		at += n
	}
	h.body = at
	return nil
}

// skipTags returns the length of a tag section.
func skipTags(b []byte) (int, error) {
	count, at := binary.Uvarint(b)
	if at <= 0 {
		return 0, errShort
	}
	for ; count > 0; count-- {
		_, n := binary.Uvarint(b[at:])
		if n <= 0 {
			return 0, errShort
		}
		at += n
		size, n := binary.Uvarint(b[at:])
		if n <= 0 || size > uint64(len(b)-at-n) {
			return 0, errShort
		}
		at += n + int(size)
	}
	return at, nil
}

// flexibleHeader reports whether requests of this key and version have the newer
// header; false for keys that are unknown anyway.
func flexibleHeader(key, version int16) bool {
	r := kmsg.RequestForKey(key)
	if r == nil {
		return false
	}
	r.SetVersion(version)
	return r.IsFlexible()
}

// appendResponse appends a whole frame. ApiVersions answers have the old header in
// every version, because the client cannot know yet which one we would use.
func appendResponse(dst []byte, correlation int32, resp kmsg.Response) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlation))
	if resp.IsFlexible() && resp.Key() != keyAPIVersions {
		dst = append(dst, 0)
	}
	dst = resp.AppendTo(dst)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}
