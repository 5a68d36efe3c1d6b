package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
)

// Held is one request frame that a TCPProxy keeps back until Release.
type Held struct {
	match func(apiKey, version int16, frame []byte) bool

	caught   chan struct{} // closed when the frame is in hand
	released chan struct{}
	answered chan struct{}
	release  sync.Once
	finish   sync.Once

	frame []byte
	body  []byte // of the response, after the correlation id
	err   error
}

// HoldNext arms the proxy: the next request for which match says yes is kept back, together with what follows it on
// its connection. frame is the request without its length: api key, version, correlation id, client id, body.
func (p *TCPProxy) HoldNext(match func(apiKey, version int16, frame []byte) bool) *Held {
	h := &Held{
		match: match, caught: make(chan struct{}), released: make(chan struct{}), answered: make(chan struct{}),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = append(p.armed, h)
	p.holds = append(p.holds, h)
	return h
}

// HoldKey is HoldNext for any request with this api key.
func (p *TCPProxy) HoldKey(key int16) *Held {
	return p.HoldNext(func(k, _ int16, _ []byte) bool { return k == key })
}

// catch gives the frame to the first armed Held that wants it.
func (p *TCPProxy) catch(frame []byte) *Held {
	if len(frame) < 12 {
		return nil
	}
	key, version := frameHead(frame[4:])
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, h := range p.armed {
		if h.match(key, version, frame[4:]) {
			p.armed = append(p.armed[:i:i], p.armed[i+1:]...)
			return h
		}
	}
	return nil
}

func frameHead(frame []byte) (key, version int16) {
	return int16(binary.BigEndian.Uint16(frame)), int16(binary.BigEndian.Uint16(frame[2:]))
}

// hold keeps the frame until Release and says whether it is to be sent on.
func (h *Held) hold(frame []byte) bool {
	h.frame = frame[4:]
	close(h.caught)
	select {
	case <-h.released:
		return true
	case <-h.answered: // the proxy was closed
		return false
	}
}

// Wait waits until a frame has been caught, and returns it.
func (h *Held) Wait(ctx context.Context) ([]byte, error) {
	select {
	case <-h.caught:
		return h.frame, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("no matching request came: %w", ctx.Err())
	}
}

// Release sends the frame on.
func (h *Held) Release() { h.release.Do(func() { close(h.released) }) }

func (h *Held) answer(body []byte) {
	h.finish.Do(func() {
		h.body = body
		close(h.answered)
	})
}

func (h *Held) fail(err error) {
	h.finish.Do(func() {
		h.err = err
		close(h.answered)
	})
}

// Response waits for the broker's answer to the released frame and returns it, from behind the correlation id: a
// flexible version's answer begins with the header's tagged fields.
func (h *Held) Response(ctx context.Context) ([]byte, error) {
	select {
	case <-h.answered:
		return h.body, h.err
	case <-ctx.Done():
		return nil, fmt.Errorf("no answer to the released request: %w", ctx.Err())
	}
}

// flexibleFrom is the first flexible version of the requests whose answers begin with the error code.
var flexibleFrom = map[int16]int16{4: 4, 5: 2, 6: 6}

// kraftFlagFrom is the first version in which a flag stands between the controller's id and its epoch.
var kraftFlagFrom = map[int16]int16{4: 7, 5: 4, 6: 8}

// ControllerOf says on whose behalf a LeaderAndIsr, StopReplica or UpdateMetadata was sent, for use in HoldNext.
// Other requests, and frames too short to tell, are not ok.
func ControllerOf(frame []byte) (id, epoch int32, ok bool) {
	if len(frame) < 10 {
		return 0, 0, false
	}
	key, version := frameHead(frame)
	flexible, known := flexibleFrom[key]
	if !known {
		return 0, 0, false
	}
	at := 10 + max(0, int(int16(binary.BigEndian.Uint16(frame[8:])))) // behind the client id, which may be null
	if version >= flexible {
		at++ // no tagged fields in the header
	}
	epochAt := at + 4
	if version >= kraftFlagFrom[key] {
		epochAt++
	}
	if len(frame) < epochAt+4 {
		return 0, 0, false
	}
	return int32(binary.BigEndian.Uint32(frame[at:])), int32(binary.BigEndian.Uint32(frame[epochAt:])), true
}

// ErrorCode waits for the answer to a LeaderAndIsr, StopReplica or UpdateMetadata and returns its top-level error.
func (h *Held) ErrorCode(ctx context.Context) (int16, error) {
	body, err := h.Response(ctx)
	if err != nil {
		return 0, err
	}
	key, version := frameHead(h.frame)
	flexible, known := flexibleFrom[key]
	if !known {
		return 0, fmt.Errorf("the answer to api key %d does not begin with an error code", key)
	}
	if version >= flexible && len(body) > 0 {
		if body[0] != 0 {
			return 0, fmt.Errorf("unexpected tagged fields in the response header: % x", body)
		}
		body = body[1:]
	}
	if len(body) < 2 {
		return 0, fmt.Errorf("an answer of %d bytes", len(body))
	}
	return int16(binary.BigEndian.Uint16(body)), nil
}
