package server

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// errBackend: no broker could answer, or one may have acted without its answer having
// arrived. The client's connection is closed then, and its own retry takes over.
var errBackend = errors.New("no answer from a broker")

const (
	dialTime = 5 * time.Second
	// A reader is tried on another broker soon, before the client gives up on us.
	readerTime = 10 * time.Second
	// Longer than any client waits by default. What may rightly take longer goes to
	// coordinators and leaders, and is refused at once by a broker picked at random.
	writerTime = time.Minute
	// maxTries bounds how many brokers are asked for one request.
	maxTries = 4
)

// backend is the broker connection that belongs to one client connection, so that a
// broker sees one client behind it and keeps its order.
type backend struct {
	id int32
	nc net.Conn
	rd *patient
	br *bufio.Reader
}

func (c *conn) dropBackend() {
	if c.backend.nc != nil {
		_ = c.backend.nc.Close()
		c.untrack(c.backend.nc)
		c.backend = backend{}
	}
}

// pass sends a frame to a broker as it is, the correlation id included, and passes the
// answer back.
func (c *conn) pass(ctx context.Context, h header, frame []byte) error {
	if h.key == keyProduce && !wantsAnswer(h, frame) {
		// Nothing comes back that would end the wait. A broker that does not lead the
		// partition closes the connection too, which makes the producer look for the leader.
		return fmt.Errorf("%w: produce without acknowledgement, sent to a node that leads nothing", errBackend)
	}
	again := resend(h, frame)
	wait := writerTime
	if again {
		wait = readerTime
	}
	avoid := map[int32]bool{}
	var last error
	for range maxTries {
		if err := c.connect(ctx, avoid); err != nil {
			return fmt.Errorf("%w: %w", errBackend, errors.Join(err, last))
		}
		id := c.backend.id
		sent, started, err := c.exchange(h, frame, wait)
		if err == nil {
			return nil
		}
		c.dropBackend()
		if started || ctx.Err() != nil || (sent && !again) {
			return fmt.Errorf("%w: broker %d: %w", errBackend, id, err)
		}
		avoid[id], last = true, err
	}
	return fmt.Errorf("%w: %w", errBackend, last)
}

// connect makes sure there is a live backend connection, to no broker in avoid.
func (c *conn) connect(ctx context.Context, avoid map[int32]bool) error {
	if c.backend.nc != nil {
		if stillOpen(c.backend.nc) {
			return nil
		}
		c.dropBackend()
	}
	err := errors.New("no live broker has listener " + c.listener)
	for _, e := range c.anyOrder(c.listener) {
		if avoid[e.ID] || e.ID == c.cfg.ID {
			continue
		}
		dctx, cancel := context.WithTimeout(ctx, dialTime)
		nc, derr := c.cfg.Dial(dctx, c.listener, e.Addr)
		cancel()
		if derr != nil {
			avoid[e.ID], err = true, derr
			continue
		}
		if !c.track(nc, false, 0) {
			_ = nc.Close()
			return net.ErrClosed
		}
		rd := &patient{nc: nc}
		c.backend = backend{id: e.ID, nc: nc, rd: rd, br: bufio.NewReaderSize(rd, 16<<10)}
		return nil
	}
	return err
}

// exchange sends a frame to the backend and streams the answer to the client. sent: the
// broker may have got the whole request. started: some of the answer went to the client.
func (c *conn) exchange(h header, frame []byte, wait time.Duration) (sent, started bool, err error) {
	var size [4]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(frame)))
	if err := writeAll(c.backend.nc, size[:], chunkTime); err != nil {
		return false, false, err
	}
	// A request whose end was never written cannot have been acted on.
	if err := writeAll(c.backend.nc, frame, chunkTime); err != nil {
		return false, false, err
	}
	c.backend.rd.wait = wait
	var start [8]byte
	if _, err := io.ReadFull(c.backend.br, start[:]); err != nil {
		return true, false, err
	}
	c.backend.rd.wait = chunkTime
	n := int64(int32(binary.BigEndian.Uint32(start[:]))) - 4
	if got := int32(binary.BigEndian.Uint32(start[4:])); n < 0 || got != h.correlation {
		return true, false, fmt.Errorf("answer %d of %d bytes to request %d", got, n, h.correlation)
	}
	if err := c.write(start[:]); err != nil {
		return true, true, err
	}
	// Streamed, since a Fetch answer may be as large as it likes.
	buf := c.scratch()
	for n > 0 {
		piece := buf[:min(n, int64(len(buf)))]
		if _, err := io.ReadFull(c.backend.br, piece); err != nil {
			return true, true, err
		}
		if err := c.write(piece); err != nil {
			return true, true, err
		}
		n -= int64(len(piece))
	}
	return true, true, nil
}

func (c *conn) scratch() []byte {
	if cap(c.out) < 32<<10 {
		c.out = make([]byte, 0, 32<<10)
	}
	return c.out[:cap(c.out)]
}

// resend reports whether a request may be sent to another broker after the first may
// have acted on it. Asking for a fresh producer id twice wastes one id and no more;
// with a transactional id it would fence somebody.
func resend(h header, frame []byte) bool {
	if h.key == keyInitProducerID {
		id, _, ok := firstString(frame[h.body:], h.version >= 2)
		return ok && id < 0
	}
	return proxied[h.key].again
}

// wantsAnswer reports whether a Produce request has acks other than 0. Only the start
// of it is read; what cannot be understood is left to the broker.
func wantsAnswer(h header, frame []byte) bool {
	b := frame[h.body:]
	at := 0
	if h.version >= 3 { // behind the transactional id
		var ok bool
		if _, at, ok = firstString(b, h.version >= 9); !ok {
			return true
		}
	}
	return len(b) < at+2 || binary.BigEndian.Uint16(b[at:]) != 0
}

// firstString returns the length of a nullable string at the start of b, -1 for null,
// and where it ends.
func firstString(b []byte, compact bool) (size, end int, ok bool) {
	if compact {
		n, at := binary.Uvarint(b)
		if at <= 0 || n > uint64(len(b)) {
			return 0, 0, false
		}
		return int(n) - 1, at + max(int(n)-1, 0), true
	}
	if len(b) < 2 {
		return 0, 0, false
	}
	n := int(int16(binary.BigEndian.Uint16(b)))
	return n, 2 + max(n, 0), true
}
