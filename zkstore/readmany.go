package zkstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"baton/jute"

	"github.com/go-zookeeper/zk"
	"go.uber.org/zap"
)

const (
	// manyReads: from so many znodes on a connection for them alone is worth its while.
	manyReads = 64
	// readsOfBatch and readBytes bound a request: larger ones gain nothing.
	readsOfBatch = 1000
	readBytes    = 256 << 10
	// topicsOfBatch: a topic of ten thousand partitions is half a megabyte, and no znode is larger than one.
	topicsOfBatch = 15
	// batchesAhead is how many requests are under way: the server is at work on one while another's answer is on its way.
	batchesAhead = 4
	// readAnswer bounds an answer. A thousand states are a sixth of a megabyte.
	readAnswer = 16 << 20
)

var (
	errNoMultiRead = errors.New("the server does not know multiRead")
	errNotAnswered = errors.New("expected an answer to every read of a multiRead")
)

// getMany reads znodes, at most so many of them by one request, and hands over each with its index, in no particular order, from more than one goroutine, and perhaps
// twice, the newer last; data is good until take returns. What cannot be read has an error, which is the server's. An error of
// getMany itself is ctx's or the session's end.
//
// Many are read by multiRead (ZooKeeper 3.6), which the client library does not have: over a connection and a session of its
// own, as fast as the server can. That connection may be to another server, which lags behind; so it begins with a sync, and
// nothing is older than what had been acknowledged to anybody when getMany was called. What it fails at is read one by one.
func (s *Session) getMany(ctx context.Context, paths []string, most int, take func(i int, n node, err error)) error {
	done := 0
	if len(paths) >= manyReads && !s.noMultiRead.Load() {
		var err error
		if done, err = s.multiReads(ctx, paths, most, take); errors.Is(err, errNoMultiRead) {
			s.noMultiRead.Store(true)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Info("reading one by one", zap.Int("znodes", len(paths)-done), zap.Error(err))
		}
	}
	return parallel(ctx, len(paths)-done, s.cfg.reads(), func(ctx context.Context, k int) error {
		i := done + k
		n, err := s.get(ctx, paths[i])
		if err != nil && classify(err) != classRefused {
			return err
		}
		take(i, n, err)
		return nil
	})
}

// multiReads reads from the first path on and says how many it has handed over.
func (s *Session) multiReads(ctx context.Context, paths []string, most int, take func(i int, n node, err error)) (done int, err error) {
	c, err := s.dialReads(ctx)
	if err != nil {
		return 0, err
	}
	batches := make(chan int, batchesAhead) // sizes of requests that are under way
	stop := make(chan struct{})
	var asked error
	var asking sync.WaitGroup
	asking.Go(func() {
		defer close(batches)
		asked = c.askAll(s, paths, most, func(n int) bool {
			select {
			case batches <- n:
				return true
			case <-stop:
				return false
			}
		})
	})
	defer func() {
		close(stop)
		if err != nil {
			_ = c.net.Close() // it may be stuck in a write
		}
		asking.Wait()
		c.close()
	}()
	for n := range batches {
		if err := c.answers(paths[done:done+n], func(i int, n node, err error) { take(done+i, n, err) }); err != nil {
			return done, err
		}
		done += n
	}
	return done, asked
}

// readConn is a connection that only reads.
type readConn struct {
	net  net.Conn
	in   *bufio.Reader
	xid  int32
	out  []byte
	wait time.Duration
	stop func() bool
}

// dialReads opens a session with any server and has that server catch up.
func (s *Session) dialReads(ctx context.Context) (_ *readConn, err error) {
	wait := s.cfg.SessionTimeout
	servers := s.cfg.Servers
	if len(servers) == 0 {
		return nil, errors.New("no server is given")
	}
	at := rand.IntN(len(servers)) //nolint:gosec // any will do
	var nc net.Conn
	for i := range servers {
		if nc, err = s.cfg.Dialer("tcp", servers[(at+i)%len(servers)], wait/2); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("a connection for many reads: %w", err)
	}
	c := &readConn{net: nc, in: bufio.NewReaderSize(nc, 256<<10), wait: wait}
	c.stop = context.AfterFunc(ctx, func() { _ = nc.Close() })
	if err := c.begin(s); err != nil {
		c.close()
		return nil, fmt.Errorf("a session for many reads: %w", err)
	}
	return c, nil
}

func (c *readConn) begin(s *Session) error {
	hello := &jute.ConnectRequest{Timeout: int32(c.wait.Milliseconds()), Password: make([]byte, 16)}
	if err := c.write(hello); err != nil {
		return err
	}
	raw, err := c.read()
	if err != nil {
		return err
	}
	var welcome jute.ConnectResponse
	d := jute.NewDecoder(raw)
	if welcome.Decode(d); d.Err() != nil {
		return d.Err()
	}
	if welcome.SessionID == 0 {
		return errors.New("the server refuses it")
	}
	if t := time.Duration(welcome.Timeout) * time.Millisecond; t > 0 {
		c.wait = t
	}
	return c.sync(s)
}

// sync has the server catch up with what has been acknowledged to anybody, the claim above all.
func (c *readConn) sync(s *Session) error {
	if err := c.ask(jute.OpSync, &jute.PathRequest{Path: s.abs("/")}); err != nil {
		return err
	}
	zxid, _, err := c.reply()
	if claimed := s.claimed.Load(); err == nil && zxid < claimed {
		err = fmt.Errorf("%w: it is at 0x%x, the claim is 0x%x", errLags, zxid, claimed)
	}
	return err
}

func (c *readConn) close() {
	c.stop()
	_ = c.ask(jute.OpCloseSession, nil) // else the server keeps the session until it expires
	_ = c.net.Close()
}

func (c *readConn) write(records ...jute.Record) error {
	if err := c.net.SetWriteDeadline(time.Now().Add(c.wait)); err != nil {
		return err
	}
	c.out = jute.AppendFrame(c.out[:0], records...)
	_, err := c.net.Write(c.out)
	return err
}

func (c *readConn) ask(op jute.Op, r jute.Record) error {
	c.xid++
	return c.write(&jute.RequestHeader{Xid: c.xid, Op: op}, r)
}

func (c *readConn) read() ([]byte, error) {
	if err := c.net.SetReadDeadline(time.Now().Add(c.wait)); err != nil {
		return nil, err
	}
	return jute.ReadFrame(c.in, readAnswer)
}

// reply reads the next answer and how far the server was; nothing is watched here, so nothing else comes.
func (c *readConn) reply() (zxid int64, _ *jute.Decoder, err error) {
	raw, err := c.read()
	if err != nil {
		return 0, nil, err
	}
	d := jute.NewDecoder(raw)
	var h jute.ReplyHeader
	h.Decode(d)
	switch {
	case d.Err() != nil:
		return 0, nil, d.Err()
	case h.Err == jute.Unimplemented:
		return 0, nil, errNoMultiRead
	case h.Err != jute.OK:
		return 0, nil, fmt.Errorf("the server answers %v", h.Err)
	}
	return h.Zxid, d, nil
}

// askAll sends all requests, each as soon as there is room for it.
func (c *readConn) askAll(s *Session, paths []string, most int, room func(n int) bool) error {
	for len(paths) > 0 {
		n, size := 0, 0
		var req jute.MultiRequest
		for n < min(len(paths), most) && (n == 0 || size+len(paths[n]) < readBytes) {
			path := s.abs(paths[n])
			req.Ops = append(req.Ops, jute.MultiOp{Op: jute.OpGetData, Request: &jute.PathWatchRequest{Path: path}})
			size += len(path) + 16
			n++
		}
		if !room(n) {
			return nil
		}
		if err := c.ask(jute.OpMultiRead, &req); err != nil {
			return err
		}
		paths = paths[n:]
	}
	return nil
}

// answers reads the answer to one request.
func (c *readConn) answers(paths []string, take func(i int, n node, err error)) error {
	_, d, err := c.reply()
	if err != nil {
		return err
	}
	return readAnswers(d, paths, take)
}

// readAnswers hands over what a multiRead's answer has for each path.
func readAnswers(d *jute.Decoder, paths []string, take func(i int, n node, err error)) error {
	for i := range paths {
		var h jute.MultiHeader
		h.Decode(d)
		switch {
		case d.Err() != nil:
			return d.Err()
		case h.Done:
			return errNotAnswered
		case h.Op == jute.OpError:
			switch code := jute.Code(d.Int()); code {
			case jute.NoNode:
				take(i, node{}, nil)
			default:
				take(i, node{}, fmt.Errorf("get %s: %w", paths[i], codeError(code)))
			}
			continue
		case h.Op != jute.OpGetData:
			return fmt.Errorf("%w, found %v", errNotAnswered, h.Op)
		}
		var r jute.DataResponse
		if r.Decode(d); d.Err() != nil {
			return d.Err()
		}
		take(i, node{data: r.Data, stat: zk.Stat{Czxid: r.Stat.Czxid, Mzxid: r.Stat.Mzxid, Ctime: r.Stat.Ctime, Mtime: r.Stat.Mtime,
			Version: r.Stat.Version, Cversion: r.Stat.Cversion, Aversion: r.Stat.Aversion, EphemeralOwner: r.Stat.EphemeralOwner,
			DataLength: r.Stat.DataLength, NumChildren: r.Stat.NumChildren, Pzxid: r.Stat.Pzxid}, exists: true}, nil)
	}
	return nil
}

// codeError is what the client library makes of a code, so that errors are classified in one place.
func codeError(c jute.Code) error {
	if c == jute.NoAuth {
		return zk.ErrNoAuth
	}
	return fmt.Errorf("unknown error: %d", c)
}
