package zkserver

import (
	"slices"
	"time"

	"baton/jute"
)

// Action is how the server misbehaves.
type Action int

// The actions. A connection is a byte stream: it can end or fall silent, but it cannot lose one reply and deliver the
// next, so no action does that.
const (
	// DropReply applies the request, and then everything the server sends on this connection is lost, its reply first.
	// What the client sends still arrives.
	DropReply Action = iota + 1
	// DelayReply holds the reply, and what follows it, back for Fault.Delay.
	DelayReply
	// DelayRequest holds the request, and those after it on the connection, back for Fault.Delay before it is applied.
	DelayRequest
	// CutBefore closes the connection instead of applying the request.
	CutBefore
	// CutAfter applies the request and closes the connection instead of replying.
	CutAfter
	// Expire ends the session instead of applying the request.
	Expire
	// Hold serves nothing more on the connection until Fault.Remove.
	Hold
	// LagBehind makes the connection see the state of before the request, like a follower that has fallen behind, until
	// it syncs or writes, or for Fault.Delay if that is set.
	LagBehind
)

// Request is what a Fault may be chosen by.
type Request struct {
	Session int64
	Op      jute.Op
	Xid     int32
}

// Fault is a rule: which requests are hit by which action.
type Fault struct {
	Session int64              // 0 is any
	Op      jute.Op            // 0 is any
	Match   func(Request) bool // nil is any; called by the goroutine that owns the state
	Skip    int                // so many matching requests are spared first
	Times   int                // then so many are hit; 0 is all
	Do      Action
	Delay   time.Duration

	srv    *Server
	hits   int
	held   []*conn
	timers []*time.Timer
}

// Inject adds a rule. The first request that is served after it returns can be hit.
func (s *Server) Inject(f Fault) *Fault {
	f.srv = s
	s.call(func() { s.rules = append(s.rules, &f) })
	return &f
}

// Hits is how many requests the rule has hit.
func (f *Fault) Hits() (n int) {
	f.srv.call(func() { n = f.hits })
	return n
}

// Remove takes the rule away and lets go of the connections that it holds.
func (f *Fault) Remove() {
	f.srv.call(func() {
		s := f.srv
		s.rules = slices.DeleteFunc(s.rules, func(r *Fault) bool { return r == f })
		f.stop()
		for len(f.held) > 0 {
			f.release(f.held[0])
		}
	})
}

// release lets go of one connection, once for each time that it was held.
func (f *Fault) release(c *conn) {
	if i := slices.Index(f.held, c); i >= 0 {
		f.held = slices.Delete(f.held, i, i+1)
		c.held--
		c.resume()
	}
}

func (f *Fault) stop() {
	for _, t := range f.timers {
		t.Stop()
	}
}

// hits finds the rules that a request meets. Each matching rule counts it.
func (s *Server) hits(c *conn, h jute.RequestHeader) []*Fault {
	if len(s.rules) == 0 {
		return nil
	}
	var hit []*Fault
	r := Request{c.session.id, h.Op, h.Xid}
	for _, f := range s.rules {
		if f.Session != 0 && f.Session != r.Session || f.Op != 0 && f.Op != r.Op || f.Match != nil && !f.Match(r) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 && f.hits == f.Times {
			continue
		}
		f.hits++
		hit = append(hit, f)
	}
	return hit
}

// before does what comes in place of the request, or before it; false if it is not to be served now.
func (c *conn) before(k kept) bool {
	for i, f := range k.hits {
		switch f.Do {
		case CutBefore:
			c.close()
			return false
		case Expire:
			c.srv.end(c.session)
			return false
		case LagBehind:
			c.srv.lag(c, f.Delay)
		case DelayRequest, Hold:
			rest := slices.Delete(slices.Clone(k.hits), i, i+1)
			c.hold(f, kept{frame: k.frame, hit: true, hits: rest})
			return false
		}
	}
	return true
}

// hold keeps a request, and those that follow.
func (c *conn) hold(f *Fault, k kept) {
	c.held++
	c.backlog = append([]kept{k}, c.backlog...)
	f.held = append(f.held, c)
	if f.Do == DelayRequest {
		f.timers = append(f.timers, time.AfterFunc(f.Delay, func() {
			c.srv.post(func() { f.release(c) })
		}))
	}
}

// between sets the time of the reply apart from what was written before.
func (c *conn) between(hits []*Fault) {
	for _, f := range hits {
		switch f.Do {
		case DelayReply:
			c.pending = append(c.pending, segment{wait: f.Delay})
			c.soil()
		case DropReply:
			c.silent = true
		case CutAfter:
			c.silent = true // an event that the request itself causes is lost with its reply
		}
	}
}

func (c *conn) after(hits []*Fault) {
	for _, f := range hits {
		if f.Do == CutAfter {
			c.close()
		}
	}
}

// Sessions are the ids of the living sessions, in the order of their creation.
func (s *Server) Sessions() (ids []int64) {
	s.call(func() {
		for id := range s.sessions {
			ids = append(ids, id)
		}
	})
	slices.Sort(ids)
	return ids
}

// Expire ends a session as if its time had run out; false if there is none.
func (s *Server) Expire(session int64) (ok bool) {
	s.call(func() {
		ss := s.sessions[session]
		if ok = ss != nil; ok {
			s.end(ss)
		}
	})
	return ok
}

// Cut closes a session's connection; false if it has none. What was written before may still arrive.
func (s *Server) Cut(session int64) (ok bool) {
	s.call(func() {
		if ss := s.sessions[session]; ss != nil && ss.conn != nil {
			ss.conn.close()
			ss.conn, ok = nil, true
		}
	})
	return ok
}

// Freeze stops the server as SIGSTOP stops a process: connections are accepted and nothing is answered.
func (s *Server) Freeze() { s.call(func() { s.frozen = true }) }

// Thaw goes on. Sessions whose time ran out meanwhile end before any request is served.
func (s *Server) Thaw() {
	s.call(func() {
		s.frozen = false
		s.expire()
	})
}
