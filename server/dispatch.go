package server

import (
	"context"
	"errors"
	"fmt"

	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var (
	// errProxy: a broker shall answer this request.
	errProxy = errors.New("to be answered by a broker")
	// errMalformed: the peer does not speak the protocol, or not the part that was offered.
	errMalformed = errors.New("malformed request")
)

// standbyMessage goes with NOT_CONTROLLER where an answer has a message.
const standbyMessage = "This is not the correct controller for this cluster."

// header is a request's header. body is where the request itself starts in the frame.
type header struct {
	key, version int16
	correlation  int32
	body         int
	clientID     string // empty if there is none
}

// request is one request on its way through a handler.
type request struct {
	*Server
	header
	listener string
	frame    []byte
}

// handler answers a decoded request. Any error but errProxy closes the connection.
type handler func(ctx context.Context, r *request, req kmsg.Request) (kmsg.Response, error)

// api is one row of the table: an API that Baton answers itself, at least sometimes.
type api struct {
	key, min, max int16
	// active answers while this process holds the role; standby while it does not, nil
	// meaning that a broker does.
	active, standby handler
	// limit bounds the body. kmsg believes an array's length up to the bytes that remain,
	// so a body costs up to a hundred times its size in memory.
	limit int
	// passing: offered are the versions that brokers have in common, since only some
	// requests are answered here.
	passing bool
	// inspect: decoded through wire.InspectRequest, as it is not served as a whole.
	inspect bool
}

const (
	defaultLimit = 4 << 20
	largeBody    = 256 << 10 // larger ones are decoded few at a time
)

// apiTable lists the APIs that are answered here.
func apiTable() []api {
	return []api{
		metadataAPI(), leaderAndISRAPI(), stopReplicaAPI(), updateMetadataAPI(),
		controlledShutdownAPI(), findCoordinatorAPI(), listGroupsAPI(), apiVersionsAPI(),
		createTopicsAPI(), deleteTopicsAPI(), describeConfigsAPI(), alterConfigsAPI(),
		alterReplicaLogDirsAPI(), describeLogDirsAPI(), createPartitionsAPI(),
		electLeadersAPI(), incrementalAlterConfigsAPI(), alterReassignmentsAPI(),
		listReassignmentsAPI(), alterUserSCRAMAPI(), alterPartitionAPI(),
		updateFeaturesAPI(), describeClusterAPI(), describeProducersAPI(),
		listTransactionsAPI(), allocateProducerIDsAPI(),
	}
}

// answer produces the response to one frame. errProxy asks for it to be passed on,
// and then the header is complete.
func (s *Server) answer(ctx context.Context, listener string, frame []byte) (header, kmsg.Response, error) {
	rh, body, err := wire.ParseRequestHeader(frame)
	h := header{key: rh.Key, version: rh.Version, correlation: rh.CorrelationID, body: len(frame) - len(body)}
	if rh.ClientID != nil {
		h.clientID = *rh.ClientID
	}
	a := s.apis[h.key]
	if len(frame) >= 8 && h.key == keyAPIVersions && (h.version < 0 || h.version > a.max) {
		// Whatever follows in such a header: the client must learn what it may ask.
		return h, unsupportedAPIVersions(a), nil
	}
	if err != nil {
		return h, nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if a == nil {
		return h, nil, s.mayPass(h)
	}
	handle := a.standby
	if s.ctl.Active() {
		handle = a.active
	}
	if handle == nil {
		return h, nil, s.mayPass(h)
	}
	if h.version < a.min || h.version > a.max {
		return h, nil, fmt.Errorf("%w: key %d has no version %d", errMalformed, h.key, h.version)
	}
	resp, err := s.handle(ctx, a, handle, &request{Server: s, header: h, listener: listener, frame: frame})
	if errors.Is(err, errProxy) {
		err = s.mayPass(h)
	}
	return h, resp, err
}

// mayPass returns errProxy, or why the request cannot be passed on.
func (s *Server) mayPass(h header) error {
	if r, ok := s.learned.passing()[h.key]; !ok || h.version < r[0] || h.version > r[1] {
		return fmt.Errorf("%w: key %d version %d is not offered", errMalformed, h.key, h.version)
	}
	return errProxy
}

func (s *Server) handle(ctx context.Context, a *api, f handler, r *request) (kmsg.Response, error) {
	body := r.frame[r.body:]
	limit := a.limit
	if limit == 0 {
		limit = defaultLimit
	}
	if len(body) > limit {
		return nil, fmt.Errorf("%w: a request of %d bytes for key %d", errMalformed, len(body), r.key)
	}
	req, err := s.decode(ctx, a, r.header, body)
	if err != nil {
		return nil, err
	}
	return f(ctx, r, req)
}

func (s *Server) decode(ctx context.Context, a *api, h header, body []byte) (kmsg.Request, error) {
	if len(body) > largeBody {
		select {
		case s.decodes <- struct{}{}:
			defer func() { <-s.decodes }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	read := wire.DecodeRequest
	if a.inspect {
		read = wire.InspectRequest
	}
	req, err := read(a.key, h.version, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return req, nil
}

// Handle answers one frame (without its length) as a connection would, and returns the
// whole response frame. It is for checkers and fuzzers: a request that would be passed
// on to a broker is an error here.
func (s *Server) Handle(ctx context.Context, listener string, frame []byte) ([]byte, error) {
	h, resp, err := s.answer(ctx, listener, frame)
	if err != nil {
		return nil, err
	}
	return wire.AppendResponse(nil, h.correlation, resp), nil
}

// typed gives a handler its request's own type. The type always fits, because requests
// are made by key; a mismatch is a mistake in the table and closes the connection.
func typed[R kmsg.Request](f func(context.Context, *request, R) (kmsg.Response, error)) handler {
	return func(ctx context.Context, r *request, req kmsg.Request) (kmsg.Response, error) {
		t, ok := req.(R)
		if !ok {
			return nil, fmt.Errorf("key %d decodes to %T", r.key, req)
		}
		return f(ctx, r, t)
	}
}

// respond returns the response of the request's version with defaults set.
func respond[T kmsg.Response](req kmsg.Request) T {
	t, _ := req.ResponseKind().(T)
	return t
}
