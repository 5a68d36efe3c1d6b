package zkserver

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"baton/jute"
)

// session is one client's. It ends when it is closed, or in the first bucket after its timeout.
type session struct {
	id      int64
	timeout time.Duration
	bucket  int64
	conn    *conn // nil while the client is away
}

// password is a function of the id, as the real one's is; this protects from mistakes, not from malice.
func password(id int64) []byte {
	b := binary.BigEndian.AppendUint64([]byte("zkserver session "), uint64(id))
	sum := sha256.Sum256(b)
	return sum[:16]
}

// tick is the bucket of a moment; sessions of a bucket end at the moment it begins.
func (s *Server) tick(at time.Time) int64 { return int64(at.Sub(s.begun) / s.o.TickTime) }

// touch moves a session into the bucket after its timeout from now.
func (s *Server) touch(ss *session) {
	b := s.tick(time.Now().Add(ss.timeout)) + 1
	if b == ss.bucket {
		return
	}
	s.unbucket(ss)
	if s.buckets[b] == nil {
		s.buckets[b] = map[int64]*session{}
	}
	s.buckets[b][ss.id] = ss
	ss.bucket = b
	if s.expiryAt == 0 || b < s.expiryAt {
		s.arm()
	}
}

func (s *Server) unbucket(ss *session) {
	delete(s.buckets[ss.bucket], ss.id)
	if len(s.buckets[ss.bucket]) == 0 {
		delete(s.buckets, ss.bucket)
	}
}

// arm sets the timer to the earliest bucket. There are as many as ticks in the longest timeout.
func (s *Server) arm() {
	s.expiryAt = 0
	if len(s.buckets) == 0 {
		s.expiry.Stop()
		return
	}
	s.expiryAt = slices.Min(slices.Collect(maps.Keys(s.buckets)))
	s.expiry.Reset(time.Until(s.begun.Add(time.Duration(s.expiryAt) * s.o.TickTime)))
}

// expire ends the sessions of all buckets that have begun. A frozen server does it when it thaws.
func (s *Server) expire() {
	if s.frozen {
		s.expiryAt = 0
		return
	}
	now := s.tick(time.Now())
	for _, b := range slices.Sorted(maps.Keys(s.buckets)) {
		if b > now {
			break
		}
		for _, id := range slices.Sorted(maps.Keys(s.buckets[b])) {
			s.o.Log.Info("session expired", "session", id)
			s.end(s.sessions[id])
		}
	}
	s.arm()
}

// end deletes a session with its ephemerals, in one transaction, and closes its connection.
func (s *Server) end(ss *session) *Txn {
	x := s.begin(ss.id, jute.OpCloseSession)
	for _, path := range slices.Sorted(maps.Keys(s.tree.ephemerals[ss.id])) {
		x.Changes = append(x.Changes, Change{Op: jute.OpDelete, Path: path})
	}
	for i := range x.Changes {
		s.tree.change(x, &x.Changes[i])
	}
	s.unbucket(ss)
	delete(s.sessions, ss.id)
	s.commit(x)
	if c := ss.conn; c != nil {
		ss.conn = nil
		c.close()
	}
	return x
}

// connect handles a connection's first frame.
func (c *conn) connect(frame []byte) {
	s := c.srv
	var r jute.ConnectRequest
	if err := jute.Unmarshal(frame, &r); err != nil {
		c.close()
		return
	}
	if r.LastZxidSeen > c.view.zxid {
		// The client has seen what we have not; it has to try another server.
		s.o.Log.Info("client is ahead", "client", r.LastZxidSeen, "server", c.view.zxid)
		c.close()
		return
	}
	timeout := min(max(time.Duration(r.Timeout)*time.Millisecond, s.o.MinSession), s.o.MaxSession)
	if r.SessionID == 0 {
		c.create(timeout)
		c.welcome(r.Old)
		return
	}
	ss := s.sessions[r.SessionID]
	if ss != nil && ss.conn != nil {
		ss.conn.close() // even if the password turns out to be wrong
		ss.conn = nil
	}
	if ss == nil || !slices.Equal(r.Password, password(r.SessionID)) {
		c.write(&jute.ConnectResponse{Password: make([]byte, 16), Old: r.Old})
		c.close()
		return
	}
	ss.conn, ss.timeout, c.session = c, timeout, ss
	s.touch(ss)
	c.welcome(r.Old)
}

func (c *conn) create(timeout time.Duration) {
	s := c.srv
	x := s.begin(0, jute.OpCreateSession)
	s.lastID++
	x.Session = s.lastID
	c.session = &session{id: s.lastID, timeout: timeout, conn: c}
	s.sessions[s.lastID] = c.session
	s.touch(c.session)
	s.commit(x)
	s.o.Log.Info("session begun", "session", s.lastID, "timeout", timeout)
}

func (c *conn) welcome(old bool) {
	c.write(&jute.ConnectResponse{Timeout: int32(c.session.timeout.Milliseconds()), SessionID: c.session.id,
		Password: password(c.session.id), Old: old})
}
