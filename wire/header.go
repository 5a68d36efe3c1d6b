package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// RequestHeader is what precedes every request's body.
type RequestHeader struct {
	Key           int16
	Version       int16
	CorrelationID int32
	ClientID      *string // nil is legal
}

// errShort is the cause of a MalformedError where bytes are missing.
var errShort = errors.New("not enough bytes")

// UnsupportedError says that a key is unknown or that a version of it is not spoken.
type UnsupportedError struct{ Key, Version int16 }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("unsupported request: key %d version %d", e.Key, e.Version)
}

// MalformedError says that bytes are not what their key and version promise.
type MalformedError struct {
	Key, Version int16
	Cause        error
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("malformed message: key %d version %d: %v", e.Key, e.Version, e.Cause)
}

func (e *MalformedError) Unwrap() error { return e.Cause }

// firstFlexible is the first version of each key that uses compact encodings and
// tagged fields, -1 if none does. It is read off kmsg once: that rule, unlike the
// maximum version, has never changed after a release.
var firstFlexible = func() (t [128]int16) {
	for key := range t {
		t[key] = -1
		r := kmsg.RequestForKey(int16(key))
		if r == nil {
			continue
		}
		for v := int16(0); v <= r.MaxVersion(); v++ {
			if r.SetVersion(v); r.IsFlexible() {
				t[key] = v
				break
			}
		}
	}
	return t
}()

// Flexible reports whether that version of a request and its response carry tagged
// fields. Response headers have one exception: see AppendResponseHeader.
func Flexible(key, version int16) bool {
	if key < 0 || int(key) >= len(firstFlexible) {
		return false
	}
	first := firstFlexible[key]
	return first >= 0 && version >= first
}

// ParseRequestHeader splits a frame into header and body, for any key that kmsg knows
// and whatever the version, so that requests can be passed on as well as served.
// With an error, the header holds what could be read before it: an ApiVersions request
// of a too high version still has to be answered with its correlation id.
func ParseRequestHeader(frame []byte) (RequestHeader, []byte, error) {
	var h RequestHeader
	if len(frame) < 8 {
		return h, nil, &MalformedError{Key: -1, Version: -1, Cause: errShort}
	}
	h.Key = int16(binary.BigEndian.Uint16(frame))
	h.Version = int16(binary.BigEndian.Uint16(frame[2:]))
	h.CorrelationID = int32(binary.BigEndian.Uint32(frame[4:]))
	// ControlledShutdown v0 has a header of its own, without a client id; only brokers
	// older than 0.9 send it.
	if h.Version < 0 || (h.Key == ControlledShutdown && h.Version == 0) || kmsg.RequestForKey(h.Key) == nil {
		return h, nil, &UnsupportedError{Key: h.Key, Version: h.Version}
	}
	rest, err := h.readClientID(frame[8:])
	if err == nil && Flexible(h.Key, h.Version) {
		rest, err = skipTags(rest)
	}
	if err != nil {
		return h, nil, &MalformedError{Key: h.Key, Version: h.Version, Cause: err}
	}
	return h, rest, nil
}

// readClientID reads a nullable string with a two byte length, which it keeps in
// flexible versions too.
func (h *RequestHeader) readClientID(b []byte) ([]byte, error) {
	if len(b) < 2 {
		return nil, errShort
	}
	n := int(int16(binary.BigEndian.Uint16(b)))
	b = b[2:]
	if n < 0 {
		return b, nil
	}
	if n > len(b) {
		return nil, errShort
	}
	id := string(b[:n])
	h.ClientID = &id
	return b[n:], nil
}

// AppendRequestHeader appends the header of a request.
func AppendRequestHeader(dst []byte, h RequestHeader) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.Key))
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.Version))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.CorrelationID))
	if h.ClientID == nil {
		dst = append(dst, 0xff, 0xff)
	} else {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(*h.ClientID)))
		dst = append(dst, *h.ClientID...)
	}
	if Flexible(h.Key, h.Version) {
		dst = append(dst, 0)
	}
	return dst
}

// taggedResponseHeader: ApiVersions responses have header v0 whatever their version,
// because the client reads them before it knows what the other side speaks.
func taggedResponseHeader(key, version int16) bool {
	return key != ApiVersions && Flexible(key, version)
}

// AppendResponseHeader appends the header of a response to a request of that key and
// version.
func AppendResponseHeader(dst []byte, key, version int16, correlationID int32) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlationID))
	if taggedResponseHeader(key, version) {
		dst = append(dst, 0)
	}
	return dst
}

// ParseResponseHeader splits a response frame into its correlation id and its body.
func ParseResponseHeader(frame []byte, key, version int16) (int32, []byte, error) {
	if len(frame) < 4 {
		return 0, nil, &MalformedError{Key: key, Version: version, Cause: errShort}
	}
	id, rest := int32(binary.BigEndian.Uint32(frame)), frame[4:]
	if taggedResponseHeader(key, version) {
		var err error
		if rest, err = skipTags(rest); err != nil {
			return id, nil, &MalformedError{Key: key, Version: version, Cause: err}
		}
	}
	return id, rest, nil
}
