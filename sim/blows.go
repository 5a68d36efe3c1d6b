package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"baton/admin"
	"baton/jute"
	"baton/wire"
	"baton/zkserver"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Blow is what happens to the Baton that leads.
type Blow string

// The blows.
const (
	// KillBefore is kill -9 before the write or the request leaves, KillAfter when it has arrived and is not answered.
	KillBefore Blow = "kill-before"
	KillAfter  Blow = "kill-after"
	// LoseSession ends its session in ZooKeeper instead.
	LoseSession Blow = "lose-session"
	// BeZombie: the write is applied, or the request waits in the network, and it hears no more from ZooKeeper until
	// its session is long over.
	BeZombie Blow = "zombie"
	// HandOver gives the role to the other Baton while the step is taken.
	HandOver Blow = "hand-over"
	// HandBack gives it to a broker, whose controller does nothing, and takes it again.
	HandBack Blow = "hand-back"
)

// Blows are all of them.
func Blows() []Blow { return []Blow{KillBefore, KillAfter, LoseSession, BeZombie, HandOver, HandBack} }

// stepper counts the steps of the Baton that leads when it is armed, and strikes at one of them.
type stepper struct {
	w    *world
	at   int
	blow Blow

	mu      sync.Mutex
	session int64
	baton   *baton // nil until armed
	hosts   []string
	taken   []string
	struck  bool
}

var errKilled = errors.New("the process was killed")

// faults are what ZooKeeper does to the write that is the step.
var faults = map[Blow]zkserver.Action{KillBefore: zkserver.CutBefore, KillAfter: zkserver.CutAfter, LoseSession: zkserver.Expire, BeZombie: zkserver.DropReply}

// arm begins to count.
func (s *stepper) arm() {
	role := s.w.history.Role()
	s.mu.Lock()
	s.session = role.Session
	s.baton = s.w.batons[slices.IndexFunc(s.w.batons, func(b *baton) bool { return b.id == role.Holder })]
	s.hosts = append(s.w.hosts(), client)
	b := s.baton
	s.mu.Unlock()
	s.w.faults = append(s.w.faults, s.w.zk.Inject(zkserver.Fault{Session: role.Session, Do: faults[s.blow], Match: s.written}))
	b.net.mu.Lock()
	b.net.steps = s
	b.net.mu.Unlock()
}

// written is asked by ZooKeeper for each request of the session; true has the fault come.
func (s *stepper) written(r zkserver.Request) bool {
	switch r.Op {
	case jute.OpCreate, jute.OpDelete, jute.OpSetData, jute.OpMulti:
	default:
		return false
	}
	if !s.step(fmt.Sprint(r.Op)) {
		return false
	}
	switch s.blow {
	case KillBefore, KillAfter:
		s.kill()
	case BeZombie:
		s.freeze(zooKeeper)
	case LoseSession:
		s.w.robbery(s.session)
	default:
		s.hand()
	}
	return faults[s.blow] != 0
}

// step counts one; true: this is where the blow falls.
func (s *stepper) step(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, what)
	if s.struck || len(s.taken) != s.at {
		return false
	}
	s.struck = true
	s.w.trace.add("BLOW: %s at step %d, %s", s.blow, s.at, what)
	return true
}

// request is asked for each request to a broker; send sends it.
func (s *stepper) request(h wire.RequestHeader, to string, send func() error) error {
	if _, control := controlRequests[h.Key]; !control || !s.step(fmt.Sprintf("%s to %s", kmsg.NameForKey(h.Key), to)) {
		return send()
	}
	switch s.blow {
	case KillBefore:
		s.kill()
		return errKilled
	case KillAfter:
		err := send()
		s.kill()
		return err
	case LoseSession:
		s.w.wg.Go(func() { s.w.rob(s.session) })
	case BeZombie:
		s.freeze(zooKeeper, to)
	default:
		s.hand()
	}
	return send()
}

// kill ends the process as killBaton does, from whatever goroutine; bury tells the world.
func (s *stepper) kill() {
	for _, h := range s.hosts {
		if h != s.baton.net.host {
			s.w.net.Cut(s.baton.net.host, h)
		}
	}
	s.baton.cancel()
}

// bury lets a Baton that was killed start again.
func (s *stepper) bury() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.struck && (s.blow == KillBefore || s.blow == KillAfter) {
		s.baton.node = nil
	}
}

// freeze keeps the Baton from some hosts; the last is back first.
func (s *stepper) freeze(hosts ...string) {
	host := s.baton.net.host
	for _, h := range hosts {
		s.w.net.Freeze(host, h)
	}
	s.w.wg.Go(func() {
		time.Sleep(6 * time.Second)
		for _, h := range slices.Backward(hosts) {
			s.w.net.Heal(host, h)
			time.Sleep(200 * time.Millisecond)
		}
	})
}

// hand gives the role away while the step is taken.
func (s *stepper) hand() {
	n, w, who := s.baton.node, s.w, admin.Request{Who: "sim"}
	w.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		defer cancel()
		quiet := func(string) {}
		if s.blow == HandOver {
			w.trace.add("handover: %s", errText(n.Handover(ctx, admin.AnyMember, who, quiet)))
			return
		}
		_, err := n.Handback(ctx, who, quiet)
		w.trace.add("handback: %s", errText(err))
		take, cancelTake := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancelTake()
		w.trace.add("takeover: %s", errText(n.Takeover(take, who, quiet)))
	})
}
