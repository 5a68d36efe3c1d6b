package zkstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"baton/jute"
	"baton/partition"

	"go.uber.org/zap"
)

const (
	// coalesce is how long changes are gathered before those that came meanwhile are read together.
	coalesce = 20 * time.Millisecond
	// proveWithin: reading everything takes no longer.
	proveWithin = 2 * time.Second
	// A server that lags is asked again, syncTries times in all.
	syncTries = 5
	// After a lost connection the next one waits, at first pauseFirst, at most pauseMost; noWatchPause where servers are too old.
	pauseFirst   = time.Second
	pauseMost    = 30 * time.Second
	noWatchPause = 5 * time.Minute
)

var (
	errNoAddWatch = errors.New("the server does not know addWatch (ZooKeeper 3.6)")
	errLags       = errors.New("the server lags behind the claim")
)

// ImageStatus is what a standby's image is like at the moment.
type ImageStatus struct {
	Warm               bool // a claim can stand on it, once it is proven
	Topics, Partitions int
	Dirty              int           // znodes that have changed and are still to be read again
	Age                time.Duration // since it was last known to be as its server had it
	Why                string        // not warm
}

// follower keeps an image of topics and states for as long as this process is a standby: over a connection and a session of its
// own, with a recursive watch (ZooKeeper 3.6). After a disconnect nothing of it is kept, as such a watch replays nothing.
//
// ZooKeeper tells of a change before it answers with a state that contains it, or a later one. So when the answer to a sync
// has come that carries the claim's zxid or a later one, all changes up to the claim are marked; once these are read, the image
// is what a load would read.
type follower struct {
	s     *Session
	rate  int // reads in a second
	stop  context.CancelFunc
	wake  chan struct{}
	mu    sync.Mutex
	img   *image // nil: there is none
	asked []question
	proof *proof
	exact time.Time // when img was last known to be as its server had it
	why   string    // there is no whole image
}

// question is a request that is under way.
type question struct {
	xid int32
	op  jute.Op
	ids []partition.ID // of a multiRead
}

// proof is a claim that waits for the image.
type proof struct {
	zxid   int64
	tries  int
	sync   bool // to be asked for
	synced bool // the server is far enough; what it has told of by then is to be read
	done   chan error
}

// Follow starts to keep an image for the next claim, unless that is done already. rate bounds how many znodes it reads in a second.
func (s *Session) Follow(rate int) {
	s.followMu.Lock()
	defer s.followMu.Unlock()
	if s.follower != nil || s.ended.Load() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{s: s, rate: rate, stop: cancel, wake: make(chan struct{}, 1), why: "it is being read"}
	s.follower = f
	go func() {
		select {
		case <-s.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	go f.run(ctx)
}

// Image says what the image of a standby is like.
func (s *Session) Image() ImageStatus {
	s.followMu.Lock()
	f := s.follower
	s.followMu.Unlock()
	if f == nil {
		return ImageStatus{Why: "none is kept"}
	}
	return f.status()
}

// takeImage ends the following and returns the image, proven to be exact as of a zxid or later.
func (s *Session) takeImage(ctx context.Context, zxid int64) (*image, error) {
	s.followMu.Lock()
	f := s.follower
	s.follower = nil
	s.followMu.Unlock()
	if f == nil {
		return nil, errors.New("none is kept")
	}
	defer f.stop()
	return f.prove(ctx, zxid)
}

func (f *follower) status() ImageStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := ImageStatus{Why: f.why}
	if f.img != nil {
		st.Topics, st.Partitions, st.Dirty = len(f.img.topics), f.img.partitions, len(f.img.waiting)
		if st.Warm = f.img.whole; st.Warm {
			st.Age, st.Why = time.Since(f.exact), ""
		}
	}
	return st
}

// prove has the image brought up to a zxid, and takes it away.
func (f *follower) prove(ctx context.Context, zxid int64) (*image, error) {
	f.mu.Lock()
	if f.img == nil || !f.img.whole {
		defer f.mu.Unlock()
		return nil, errors.New(f.why)
	}
	p := &proof{zxid: zxid, sync: true, done: make(chan error, 1)}
	f.proof = p
	f.mu.Unlock()
	signal(f.wake)
	ctx, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	var err error
	select {
	case err = <-p.done:
	case <-ctx.Done():
		err = fmt.Errorf("proving it: %w", ctx.Err())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	img := f.img
	f.img, f.proof = nil, nil
	if err == nil && img == nil {
		err = errors.New(f.why)
	}
	return img, err
}

// run keeps an image until ctx ends.
func (f *follower) run(ctx context.Context) {
	pause := pauseFirst
	for ctx.Err() == nil {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if f.lost(err) {
			pause = pauseFirst
		}
		f.s.cfg.Metrics.ImageLost()
		f.s.log.Warn("no image of topics and states is kept for a claim", zap.Error(err))
		if errors.Is(err, errNoAddWatch) {
			pause = noWatchPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, pauseMost)
	}
}

// lost gives the image up and says whether it had been whole.
func (f *follower) lost(why error) (whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	whole = f.img != nil && f.img.whole
	f.img, f.asked, f.why = nil, nil, why.Error()
	if f.proof != nil {
		f.proof.done <- why
		f.proof = nil
	}
	return whole
}

// follow lives one connection.
func (f *follower) follow(ctx context.Context) error {
	c, err := f.s.dialReads(ctx)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.img, f.asked, f.why = newImage(), nil, "it is being read"
	f.mu.Unlock()
	heard := make(chan error, 1)
	defer func() {
		c.close()
		for range heard { // until it is closed
		}
	}()
	go func() {
		defer close(heard)
		heard <- f.listen(c)
	}()
	topics := f.s.abs(pathTopics)
	if err := f.ask(c, jute.OpAddWatch, &jute.PathKindRequest{Path: topics, Kind: jute.WatchPersistentRecursive}, nil); err != nil {
		return err
	}
	if err := f.ask(c, jute.OpGetChildren, &jute.PathWatchRequest{Path: topics}, nil); err != nil {
		return err
	}
	ping := time.NewTicker(c.wait / 3)
	defer ping.Stop()
	var due time.Time
	for {
		early, err := f.speak(c, &due)
		if err != nil {
			return err
		}
		var timer <-chan time.Time
		if early {
			timer = time.After(time.Until(due))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-heard:
			return err
		case <-ping.C:
			f.s.cfg.Metrics.ImageRequest(0)
			if err := c.write(&jute.RequestHeader{Xid: jute.XidPing, Op: jute.OpPing}, nil); err != nil {
				return err
			}
		case <-f.wake:
		case <-timer:
		}
	}
}

// speak asks what is to be asked now. Reads are not before due, unless somebody waits for a proof, and put it off; early: there
// are some then.
func (f *follower) speak(c *readConn, due *time.Time) (early bool, err error) {
	for {
		f.mu.Lock()
		if f.img == nil {
			f.mu.Unlock()
			return false, nil // taken
		}
		if p := f.proof; p != nil && p.sync {
			p.sync = false
			f.mu.Unlock()
			if err := f.ask(c, jute.OpSync, &jute.PathRequest{Path: f.s.abs("/")}, nil); err != nil {
				return false, err
			}
			continue
		}
		window, now := 1, time.Now()
		if f.proof != nil {
			window = batchesAhead
		}
		if early = f.proof == nil && now.Before(*due); len(f.asked) >= window || len(f.img.waiting) == 0 || early {
			early = early && len(f.asked) < window && len(f.img.waiting) > 0
			f.mu.Unlock()
			return early, nil
		}
		ids, full := f.img.take()
		f.mu.Unlock()
		wait := coalesce
		if full {
			wait = time.Duration(len(ids)) * time.Second / time.Duration(f.rate)
		}
		*due = now.Add(wait)
		if err := f.ask(c, jute.OpMultiRead, f.s.readsOf(ids), ids); err != nil {
			return false, err
		}
	}
}

func (s *Session) readsOf(ids []partition.ID) *jute.MultiRequest {
	ops := make([]jute.MultiOp, len(ids))
	for i, id := range ids {
		ops[i] = jute.MultiOp{Op: jute.OpGetData, Request: &jute.PathWatchRequest{Path: s.abs(imagePath(id))}}
	}
	return &jute.MultiRequest{Ops: ops}
}

func imagePath(id partition.ID) string {
	if id.Number == topicItself {
		return topicPath(id.Topic)
	}
	return statePath(id)
}

// ask sends a request; only the connection's speaker does.
func (f *follower) ask(c *readConn, op jute.Op, r jute.Record, ids []partition.ID) error {
	f.mu.Lock()
	f.asked = append(f.asked, question{c.xid + 1, op, ids})
	f.mu.Unlock()
	f.s.cfg.Metrics.ImageRequest(len(ids))
	return c.ask(op, r)
}

// listen takes in what the server says, in the order in which it says it.
func (f *follower) listen(c *readConn) error {
	for {
		raw, err := c.read()
		if err != nil {
			return err
		}
		d := jute.NewDecoder(raw)
		var h jute.ReplyHeader
		if h.Decode(d); d.Err() != nil {
			return d.Err()
		}
		f.s.cfg.Metrics.ImageReceived(len(raw), h.Xid == jute.XidNotification)
		f.mu.Lock()
		err = f.hear(h, d)
		f.mu.Unlock()
		if err != nil {
			return err
		}
		signal(f.wake)
	}
}

// hear takes in one frame; f.mu is held.
func (f *follower) hear(h jute.ReplyHeader, d *jute.Decoder) error {
	if f.img == nil {
		return nil // it was taken: this is the end
	}
	switch h.Xid {
	case jute.XidNotification:
		var ev jute.WatcherEvent
		if ev.Decode(d); d.Err() != nil {
			return d.Err()
		}
		f.img.event(f.s.relative(ev.Path))
		return nil
	case jute.XidPing:
	default:
		if len(f.asked) == 0 || f.asked[0].xid != h.Xid {
			return fmt.Errorf("expected an answer to what was asked, found one to request %d", h.Xid)
		}
		q := f.asked[0]
		f.asked = f.asked[1:]
		if err := f.answer(q, h, d); err != nil {
			return err
		}
	}
	if f.img.clean() && len(f.asked) == 0 {
		f.exact = time.Now()
	}
	return nil
}

func (f *follower) answer(q question, h jute.ReplyHeader, d *jute.Decoder) error {
	switch {
	case h.Err == jute.Unimplemented && q.op == jute.OpAddWatch:
		return errNoAddWatch
	case h.Err != jute.OK:
		return fmt.Errorf("the server answers %v to %v", h.Err, q.op)
	case q.op == jute.OpGetChildren:
		var r jute.StringsResponse
		if r.Decode(d); d.Err() != nil {
			return d.Err()
		}
		f.img.list(r.Strings)
	case q.op == jute.OpMultiRead:
		paths := make([]string, len(q.ids))
		for i, id := range q.ids {
			paths[i] = imagePath(id)
		}
		if err := readAnswers(d, paths, func(i int, n node, err error) { f.img.merge(q.ids[i], n, err) }); err != nil {
			return err
		}
	case q.op == jute.OpSync && f.proof != nil:
		f.synced(h.Zxid)
	}
	if p := f.proof; p != nil && p.synced && f.img.proven() {
		p.done <- nil
		f.proof = nil
	}
	return nil
}

// synced takes in how far the server is that we are connected to.
func (f *follower) synced(zxid int64) {
	p := f.proof
	p.tries++
	switch {
	case zxid >= p.zxid:
		p.synced = true
		f.img.demand()
	case p.tries < syncTries:
		p.sync = true
	default:
		p.done <- fmt.Errorf("%w: it is at 0x%x, the claim is 0x%x", errLags, zxid, p.zxid)
		f.proof = nil
	}
}
