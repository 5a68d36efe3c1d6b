package wire

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DecodeRequest decodes the body of a request that Baton serves. The result does not
// share memory with body except for unknown tagged fields, which nobody reads.
func DecodeRequest(key, version int16, body []byte) (kmsg.Request, error) {
	rng, ok := ServedRange(key)
	if !ok || !rng.Has(version) {
		return nil, &UnsupportedError{Key: key, Version: version}
	}
	if err := checkLayout(requestLayout(key, version), Flexible(key, version), body); err != nil {
		return nil, &MalformedError{Key: key, Version: version, Cause: err}
	}
	if key == StopReplica && version == 4 {
		body = kmsgStopReplicaV4(body)
	}
	r := kmsg.RequestForKey(key)
	r.SetVersion(version)
	if err := guard(r.ReadFrom, body); err != nil {
		return nil, &MalformedError{Key: key, Version: version, Cause: err}
	}
	return r, nil
}

// kmsgStopReplicaV4 reorders Kafka's bytes into the order that kmsg v1.15.0 reads:
// isKRaftController follows the controller's id in Kafka, and its epoch in kmsg. The
// layout check has made sure that the bytes are there.
func kmsgStopReplicaV4(body []byte) []byte {
	b := slices.Clone(body)
	kraft := b[4]
	copy(b[4:8], b[5:9])
	b[8] = kraft
	return b
}

// DecodeResponse decodes the body of a response, as ParseResponseHeader returns it. Of
// other keys than the three control requests and ApiVersions the layout is not checked:
// only for peers that are trusted.
func DecodeResponse(key, version int16, body []byte) (kmsg.Response, error) {
	r := kmsg.ResponseForKey(key)
	if r == nil || version < 0 {
		return nil, &UnsupportedError{Key: key, Version: version}
	}
	if l, ok := responseLayout(key, version); ok {
		if err := checkLayout(l, Flexible(key, version), body); err != nil {
			return nil, &MalformedError{Key: key, Version: version, Cause: err}
		}
	}
	r.SetVersion(version)
	if err := guard(r.ReadFrom, body); err != nil {
		return nil, &MalformedError{Key: key, Version: version, Cause: err}
	}
	return r, nil
}

// guard turns a panic of the decoder into an error: input comes from the network, and
// one peer's bytes must not end the process that runs the cluster.
func guard(read func([]byte) error, b []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoder panicked: %v", p)
		}
	}()
	return read(b)
}

// AppendRequest appends a whole frame: length prefix, header and body. It refuses a
// StopReplica version that kmsg gets wrong (see SendVersion).
func AppendRequest(dst []byte, clientID *string, correlationID int32, r kmsg.Request) ([]byte, error) {
	key, version := r.Key(), r.GetVersion()
	if key == StopReplica && version > maxStopReplica {
		return dst, &UnsupportedError{Key: key, Version: version}
	}
	start := len(dst)
	dst = BeginFrame(dst)
	dst = AppendRequestHeader(dst, RequestHeader{Key: key, Version: version, CorrelationID: correlationID, ClientID: clientID})
	return EndFrame(r.AppendTo(dst), start), nil
}

// AppendResponse appends a whole frame: length prefix, header and body. The response's
// version must be set to the request's.
func AppendResponse(dst []byte, correlationID int32, r kmsg.Response) []byte {
	start := len(dst)
	dst = BeginFrame(dst)
	dst = AppendResponseHeader(dst, r.Key(), r.GetVersion(), correlationID)
	return EndFrame(r.AppendTo(dst), start)
}
