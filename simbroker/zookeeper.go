package simbroker

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// persistentPaths are those that a 3.9 broker makes sure of when it starts.
var persistentPaths = []string{
	"/consumers", "/brokers/ids", "/brokers/topics", "/config/changes", "/admin/delete_topics", "/brokers/seqid",
	"/isr_change_notification", "/latest_producer_id_block", "/log_dir_event_notification",
	"/config/topics", "/config/clients", "/config/users", "/config/brokers", "/config/ips",
}

const registerPause = 250 * ms // between two tries to register

// session is a broker's connection to ZooKeeper. The library opens a new session by
// itself when one has expired; each is registered anew.
type session struct {
	p    *process
	conn *zk.Conn
	wake chan struct{} // one slot: the session may be another

	once      sync.Once
	closeOnce sync.Once
}

// hosts keeps the library from resolving names: addresses are the dialer's business.
type hosts struct {
	mu      sync.Mutex
	servers []string
	at      int
	last    int
}

func (h *hosts) Init([]string) error { return nil }
func (h *hosts) Len() int            { return len(h.servers) }

func (h *hosts) Next() (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = (h.at + 1) % len(h.servers)
	// true: all have been tried, and the library waits for a second.
	round := h.at == h.last
	h.last = max(h.last, 0)
	return h.servers[h.at], round
}

func (h *hosts) Connected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = h.at
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// openZooKeeper starts to connect.
func (p *process) openZooKeeper() error {
	if len(p.opts.ZooKeeper.Servers) == 0 {
		return errors.New("no ZooKeeper servers")
	}
	s := &session{p: p, wake: make(chan struct{}, 1)}
	conn, _, err := zk.Connect(p.opts.ZooKeeper.Servers, p.opts.ZooKeeper.SessionTimeout,
		zk.WithHostProvider(&hosts{servers: p.opts.ZooKeeper.Servers, at: -1, last: -1}), zk.WithDialer(s.dial),
		zk.WithLogger(quiet{}), zk.WithEventCallback(s.onEvent), zk.WithMaxBufferSize(64<<10), zk.WithMaxConnBufferSize(64<<10))
	if err != nil {
		return err
	}
	s.conn = conn
	p.zk = s
	return nil
}

// join prepares the paths, registers and takes part in the election.
func (p *process) join(ctx context.Context) error {
	s, registered := p.zk, make(chan error, 1)
	p.spawn(func() { s.run(registered) })
	select {
	case err := <-registered:
		if err == nil && p.opts.Election != nil {
			p.spawn(s.elections)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *session) dial(network, addr string, timeout time.Duration) (net.Conn, error) {
	if s.p.ctx.Err() != nil || !s.p.gate.wait(s.p.ctx.Done()) {
		return nil, net.ErrClosed
	}
	c, err := s.p.opts.ZooKeeper.Dialer(network, addr, timeout)
	if err != nil {
		return nil, err
	}
	return s.p.guard(c), nil
}

// onEvent is called on the library's goroutine.
func (s *session) onEvent(e zk.Event) {
	if e.State == zk.StateHasSession {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// run registers each session once. The first result is reported.
func (s *session) run(registered chan<- error) {
	var done, last int64
	for {
		select {
		case <-s.wake:
		case <-s.p.ctx.Done():
			return
		}
		for s.p.ctx.Err() == nil && s.conn.SessionID() != done {
			id := s.conn.SessionID()
			err := s.prepare()
			if err == nil {
				err = s.register(id, last)
			}
			if err == nil {
				done, last = id, id
				s.once.Do(func() { registered <- nil })
				break
			}
			s.p.logf("registration: %v", err)
			if !s.p.sleep(registerPause) {
				return
			}
		}
	}
}

func (s *session) path(p string) string { return s.p.opts.ZooKeeper.Chroot + p }

// prepare creates what is missing of the persistent paths, and the cluster's id.
func (s *session) prepare() error {
	for _, p := range persistentPaths {
		if err := s.ensure(s.path(p), nil); err != nil {
			return err
		}
	}
	var id [16]byte
	_, _ = rand.Read(id[:])
	fresh, _ := json.Marshal(map[string]string{"version": "1", "id": base64.RawURLEncoding.EncodeToString(id[:])})
	if err := s.ensure(s.path("/cluster/id"), fresh); err != nil {
		return err
	}
	data, _, err := s.conn.Get(s.path("/cluster/id"))
	if err != nil {
		return err
	}
	var cluster struct{ ID string }
	if err := json.Unmarshal(data, &cluster); err != nil {
		return err
	}
	s.p.post(func() { s.p.clusterID = cluster.ID })
	return nil
}

func (s *session) ensure(path string, data []byte) error {
	_, err := s.conn.Create(path, data, 0, zk.WorldACL(zk.PermAll))
	if errors.Is(err, zk.ErrNoNode) {
		if err := s.ensure(path[:strings.LastIndexByte(path, '/')], nil); err != nil {
			return err
		}
		_, err = s.conn.Create(path, data, 0, zk.WorldACL(zk.PermAll))
	}
	if errors.Is(err, zk.ErrNodeExists) {
		return nil
	}
	return err
}

// register creates /brokers/ids/<id> and takes its czxid for the broker epoch. What an
// earlier session of this process left is replaced; that of another process has to
// expire first (Kafka refuses to start then; here Start waits).
func (s *session) register(id, last int64) error {
	path := s.path("/brokers/ids/" + strconv.Itoa(int(s.p.opts.ID)))
	_, err := s.conn.Create(path, s.registration(), zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return err
	}
	_, stat, err := s.conn.Get(path)
	switch {
	case err != nil:
		return err
	case stat.EphemeralOwner == last && last != 0 && last != id:
		if err := s.conn.Delete(path, stat.Version); err != nil && !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		return fmt.Errorf("replacing the registration of the expired session %x", last)
	case stat.EphemeralOwner != id:
		return fmt.Errorf("%s is held by session %x", path, stat.EphemeralOwner)
	}
	if !s.p.post(func() { s.p.epoch = stat.Czxid }) {
		return net.ErrClosed
	}
	s.p.logf("registered with epoch %d", stat.Czxid)
	return nil
}

// registration is JSON v5 (2.7+), as Kafka writes it.
func (s *session) registration() []byte {
	o := s.p.opts
	host, port := hostPort(o.Listeners[0].Addr)
	r := map[string]any{
		"version": 5, "features": map[string]any{}, "jmx_port": -1, "host": host, "port": port,
		"timestamp": strconv.FormatInt(time.Now().UnixMilli(), 10),
	}
	protocols, endpoints := map[string]string{}, []string{}
	for _, l := range o.Listeners {
		protocols[l.Name] = "PLAINTEXT"
		endpoints = append(endpoints, l.Name+"://"+l.Addr)
	}
	r["listener_security_protocol_map"], r["endpoints"] = protocols, endpoints
	if o.Rack != "" {
		r["rack"] = o.Rack
	}
	data, _ := json.Marshal(r)
	return data
}

// closeZooKeeper ends the session, which removes the registration at once.
func (p *process) closeZooKeeper() {
	if p.zk != nil && p.zk.conn != nil {
		p.zk.closeOnce.Do(p.zk.conn.Close)
	}
}

// abandonZooKeeper ends the library's goroutines without a word to the server: the
// process's connections are closed already.
func (p *process) abandonZooKeeper() { p.closeZooKeeper() }

// notifyLogDir tells the controller that a directory has failed.
func (p *process) notifyLogDir() {
	data := fmt.Sprintf(`{"version":1,"broker":%d,"event":1}`, p.opts.ID)
	if p.zk == nil {
		return
	}
	path := p.zk.path("/log_dir_event_notification/log_dir_event_")
	for p.ctx.Err() == nil {
		_, err := p.zk.conn.Create(path, []byte(data), zk.FlagSequence, zk.WorldACL(zk.PermAll))
		if err == nil || !p.sleep(registerPause) {
			return
		}
	}
}

// readTopicConfig looks up a topic's min.insync.replicas when one of its partitions is
// led here; until the answer is there the broker's own value holds.
func (p *process) readTopicConfig(topic string) {
	if p.zk == nil || p.reading[topic] {
		return
	}
	p.reading[topic] = true
	p.spawn(func() {
		n := p.zk.minISR(topic)
		p.post(func() {
			delete(p.reading, topic)
			if n == p.minISR[topic] {
				return
			}
			p.minISR[topic] = n
			for _, r := range p.parts {
				if r.id.Topic == topic && r.role == leading {
					p.advance(r)
				}
			}
		})
	})
}

// minISR is 0 where the topic does not say.
func (s *session) minISR(topic string) int {
	data, _, err := s.conn.Get(s.path("/config/topics/" + topic))
	var entity struct{ Config map[string]string }
	if err != nil || json.Unmarshal(data, &entity) != nil {
		return 0
	}
	n, _ := strconv.Atoi(entity.Config["min.insync.replicas"])
	return n
}
