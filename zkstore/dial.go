package zkstore

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	opSetWatches = 101
	// Offsets in whole frames, the four bytes of length included.
	connectZxidAt    = 8  // connect request: length, protocol, lastZxidSeen
	connectSessionAt = 20 // connect request: …, timeout, session id
	connectReplySize = 20 // connect reply: length, protocol, timeout, session id
	setWatchesZxidAt = 12 // request: length, xid, opcode, relativeZxid
)

// watchesWithin bounds how long replies are held back.
const watchesWithin = 200 * time.Millisecond

var errSessionCrossed = errors.New("zkstore: refusing to open a second session on one connection object")

// tap sits between the client library and a TCP connection to do what the library
// cannot: learn the negotiated timeout, keep a Conn from crossing into a new
// session, and repair SetWatches. The library builds SetWatches with the zxid of the
// newest reply while replies already come in, so that changes made during the
// disconnect are silently not reported (measured: thousands of 20,000); the zxid it
// sent when it connected is the right one. Replies are also held back until SetWatches
// is on its way, because the library builds it without a lock against them.
type tap struct {
	net.Conn
	established func(session int64, timeout time.Duration) error

	// handshake bounds the wait for the connect reply. The library waits ten times as
	// long as a session has, on a server that accepts but does not answer.
	handshake time.Duration

	// The writer's: the connect request has been written, with this zxid.
	started bool
	zxid    [8]byte
	// watches is made for a resumed session and closed once SetWatches is written.
	watches chan struct{}
	once    sync.Once

	// The reader's: the first bytes read, until the session is known.
	reply    []byte
	released bool
}

func (t *tap) Write(b []byte) (int, error) {
	switch {
	case !t.started && len(b) >= connectZxidAt+8:
		t.started = true
		copy(t.zxid[:], b[connectZxidAt:])
		if len(b) >= connectSessionAt+8 && binary.BigEndian.Uint64(b[connectSessionAt:]) != 0 {
			t.watches = make(chan struct{})
		}
	case len(b) >= setWatchesZxidAt+8 && binary.BigEndian.Uint32(b[8:]) == opSetWatches:
		copy(b[setWatchesZxidAt:], t.zxid[:])
		if t.watches != nil {
			t.once.Do(func() { close(t.watches) })
		}
	}
	return t.Conn.Write(b)
}

func (t *tap) SetReadDeadline(d time.Time) error {
	if len(t.reply) < connectReplySize {
		if d.IsZero() {
			return nil // the library lifts the limit between two reads of the reply
		}
		if limit := time.Now().Add(t.handshake); d.After(limit) {
			d = limit
		}
	}
	return t.Conn.SetReadDeadline(d)
}

// awaitWatches waits for SetWatches in a resumed session, but not for ever: there is
// none if nothing is watched.
func (t *tap) awaitWatches() {
	if t.released || len(t.reply) < connectReplySize {
		return
	}
	t.released = true
	if t.watches == nil {
		return
	}
	select {
	case <-t.watches:
	case <-time.After(watchesWithin):
	}
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.awaitWatches()
	if len(t.reply) < connectReplySize && n > 0 {
		t.reply = append(t.reply, b[:n]...)
		if len(t.reply) >= connectReplySize {
			timeout := time.Duration(int32(binary.BigEndian.Uint32(t.reply[8:]))) * time.Millisecond
			session := int64(binary.BigEndian.Uint64(t.reply[12:]))
			t.reply = t.reply[:connectReplySize]
			if e := t.established(session, timeout); e != nil {
				return 0, e
			}
		}
	}
	return n, err
}
