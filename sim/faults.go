package sim

import (
	"context"
	"time"

	"baton/admin"
	"baton/jute"
	"baton/simbroker"
	"baton/zkserver"
)

// kind of a step.
type kind int

const (
	crashBroker kind = iota
	reviveBroker
	bounceBroker
	pauseBroker
	stopBroker
	cutHosts
	freezeHosts
	healHosts
	killBaton
	stopBaton
	startBaton
	handOver
	expire
	cutSession
	zkFault
	freezeZooKeeper
	pauseBaton
	blind
	zombie
	powerOff
	createTopic
	addPartitions
	deleteTopic
	reassign
	cancelReassignment
	electPreferred
	electUnclean
	kinds
)

var kindNames = [kinds]string{"crash", "revive", "bounce", "pause", "stop", "cut", "freeze", "heal", "kill-baton", "stop-baton", "start-baton",
	"handover", "expire", "cut-session", "zk-fault", "zk-freeze", "pause-baton",
	"blind", "zombie", "power-off",
	"create", "add-partitions", "delete", "reassign", "cancel", "elect-preferred", "elect-unclean"}

func (w *world) step(ctx context.Context) {
	total := 0
	for _, n := range w.mix.weights {
		total += n
	}
	at := w.rng.IntN(total)
	for k, n := range w.mix.weights {
		if at -= n; at < 0 {
			w.do(ctx, kind(k))
			return
		}
	}
}

func (w *world) do(ctx context.Context, k kind) {
	// Drawn whether it is used or not: what follows must not depend on what could be done.
	a, b, n := w.rng.IntN(1<<20), w.rng.IntN(1<<20), w.rng.IntN(1<<20)
	m := w.brokers[a%len(w.brokers)]
	p := w.batons[a%len(w.batons)]
	switch k {
	case crashBroker:
		w.crash(m, false)
	case powerOff:
		w.crash(m, true)
		if b%2 == 0 {
			w.expireBroker(m)
			w.revive(ctx, m)
		}
	case reviveBroker:
		w.revive(ctx, m)
	case bounceBroker:
		w.crash(m, false)
		w.revive(ctx, m)
	case pauseBroker:
		w.pause(m)
	case stopBroker:
		w.stop(ctx, m)
	case cutHosts, freezeHosts:
		w.cut(k, a, b)
	case healHosts:
		w.healHosts()
	case killBaton:
		w.killBaton(p)
	case stopBaton:
		w.stopBaton(p)
	case startBaton:
		w.reviveBaton(p)
	case handOver:
		w.handOver(ctx, p)
	case expire, cutSession:
		w.session(k, a)
	case zkFault:
		w.inject(a, b, n)
	case pauseBaton:
		w.pauseBaton(p, time.Duration(300+n%10_000)*time.Millisecond)
	case blind:
		w.blind(ctx, p, m, b, time.Duration(100+n%4000)*time.Millisecond)
	case zombie:
		w.zombie(p, m, w.brokers[b%len(w.brokers)], time.Duration(n%1000)*time.Millisecond)
	case freezeZooKeeper:
		d := time.Duration(1+n%6000) * time.Millisecond
		w.trace.add("step: ZooKeeper freezes for %v", d)
		w.zk.Freeze()
		w.wg.Go(func() { time.Sleep(d); w.zk.Thaw() })
	default:
		w.operate(ctx, k, a, b, n)
	}
}

// crash ends a broker's process, and with power its machine, which loses what it has not flushed.
func (w *world) crash(m *machine, power bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.up || m.leaving {
		return
	}
	w.trace.add("step: kill -9 of %s, and its machine: %v", m.host, power)
	_ = m.b.Resume()
	at := time.Now() // to end what the process had takes its time
	_ = m.b.Crash(simbroker.CrashOptions{LoseTail: power})
	if power {
		w.history.LostTail(m.b.ID(), at)
	}
	m.up, m.paused = false, false
}

// revive starts a broker, or goes on with a paused one. Starting waits for the old session's end, so it goes on by
// itself.
func (w *world) revive(ctx context.Context, m *machine) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.leaving:
	case m.paused:
		w.trace.add("step: %s goes on", m.host)
		_ = m.b.Resume()
		m.paused = false
	case !m.up:
		w.trace.add("step: %s starts", m.host)
		m.up, m.leaving = true, true
		w.wg.Go(func() {
			var err error
			for range 100 {
				if err = m.b.Start(ctx); err == nil || ctx.Err() != nil {
					break
				}
				time.Sleep(time.Second)
			}
			w.trace.add("%s has started: %v", m.host, err)
			m.mu.Lock()
			defer m.mu.Unlock()
			m.leaving, m.up = false, err == nil
		})
	}
}

func (w *world) pause(m *machine) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.up && !m.paused && !m.leaving {
		w.trace.add("step: SIGSTOP of %s", m.host)
		_ = m.b.Pause()
		m.paused = true
	}
}

func (w *world) stop(ctx context.Context, m *machine) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.up || m.paused || m.leaving {
		return
	}
	w.trace.add("step: SIGTERM of %s", m.host)
	m.leaving = true
	w.wg.Go(func() {
		clean, err := m.b.Stop(ctx)
		w.trace.add("%s has stopped, in order: %v %v", m.host, clean, errText(err))
		m.mu.Lock()
		defer m.mu.Unlock()
		m.up, m.leaving = false, false
	})
}

// hosts are those of brokers, ZooKeeper and running Batons.
func (w *world) hosts() (out []string) {
	for _, m := range w.brokers {
		out = append(out, m.host)
	}
	for _, b := range w.batons {
		if b.node != nil {
			out = append(out, b.host())
		}
	}
	return append(out, zooKeeper)
}

func (w *world) cut(k kind, a, b int) {
	hosts := w.hosts()
	x, y := hosts[a%len(hosts)], hosts[b%len(hosts)]
	if x == y {
		return
	}
	w.trace.add("step: %s between %s and %s", kindNames[k], x, y)
	w.cuts[[2]string{x, y}] = true
	if k == cutHosts {
		w.net.Cut(x, y)
	} else {
		w.net.Freeze(x, y)
	}
}

func (w *world) healHosts() {
	if len(w.cuts) > 0 {
		w.trace.add("step: the network heals")
	}
	for p := range w.cuts {
		w.net.Heal(p[0], p[1])
		delete(w.cuts, p)
	}
}

// killBaton lets nothing in or out any more; what is left of the process ends by itself.
func (w *world) killBaton(b *baton) {
	if b.node == nil {
		return
	}
	w.trace.add("step: kill -9 of %s", b.host())
	for _, h := range append(w.hosts(), client) {
		if h != b.host() {
			w.net.Cut(b.host(), h)
		}
	}
	b.cancel()
	b.node = nil
}

func (w *world) stopBaton(b *baton) {
	if b.node == nil {
		return
	}
	w.trace.add("step: SIGTERM of %s", b.host())
	b.cancel()
	b.node = nil
}

func (w *world) reviveBaton(b *baton) {
	if b.node == nil {
		if err := w.startBaton(b); err != nil {
			w.trace.add("%s: %v", b.host(), err)
		}
		w.trace.add("step: %s starts", b.host())
	}
}

func (w *world) handOver(ctx context.Context, p *baton) {
	n := p.node
	if n == nil {
		return
	}
	w.trace.add("step: %s is asked for a handover", p.host())
	w.wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := n.Handover(ctx, admin.AnyMember, admin.Request{Who: "sim"}, func(string) {})
		w.trace.add("handover: %v", errText(err))
	})
}

func (w *world) session(k kind, a int) {
	ids := w.zk.Sessions()
	if len(ids) == 0 {
		return
	}
	id := ids[a%len(ids)]
	w.trace.add("step: %s of session %x", kindNames[k], id)
	if k == expire {
		w.rob(id)
	} else {
		w.zk.Cut(id)
	}
}

// inject makes ZooKeeper misbehave for the next few requests of a kind.
func (w *world) inject(a, b, n int) {
	actions := []zkserver.Action{zkserver.DropReply, zkserver.DelayReply, zkserver.DelayRequest, zkserver.CutBefore, zkserver.CutAfter, zkserver.LagBehind}
	ops := []jute.Op{0, jute.OpMulti, jute.OpMulti, jute.OpGetData, jute.OpGetChildren2, jute.OpSync, jute.OpPing}
	f := zkserver.Fault{Op: ops[a%len(ops)], Do: actions[b%len(actions)], Times: 1 + n%3, Skip: n / 3 % 4, Delay: time.Duration(n%5000) * time.Millisecond}
	if ids := w.zk.Sessions(); len(ids) > 0 && n%2 == 0 {
		f.Session = ids[a%len(ids)]
	}
	w.trace.add("step: ZooKeeper: action %d on op %v of session %x, %d times after %d, delay %v", f.Do, f.Op, f.Session, f.Times, f.Skip, f.Delay)
	w.faults = append(w.faults, w.zk.Inject(f))
}

// pauseBaton is SIGSTOP, and SIGCONT some time later, perhaps past the end of the session.
func (w *world) pauseBaton(b *baton, d time.Duration) {
	if b.node == nil {
		return
	}
	w.trace.add("step: SIGSTOP of %s for %v", b.host(), d)
	n, host := b.net, b.host()
	n.stop()
	w.wg.Go(func() {
		time.Sleep(d)
		w.trace.add("%s goes on", host)
		n.goOn()
	})
}

// goOn ends all pauses of Batons.
func (w *world) goOn() {
	for _, b := range w.batons {
		if b.net != nil {
			b.net.goOn()
		}
	}
}

// expireBroker ends the session of a broker's registration.
func (w *world) expireBroker(m *machine) {
	if r, ok := w.history.Brokers()[m.b.ID()]; ok {
		w.trace.add("step: expiry of the session of %s", m.host)
		w.rob(r.Session)
	}
}

// blind keeps a Baton from ZooKeeper for a while in which something happens to a broker: when it is back, in the same
// session if it was not away for too long, it has to find out by itself.
func (w *world) blind(ctx context.Context, b *baton, m *machine, how int, d time.Duration) {
	if b.node == nil {
		return
	}
	host := b.host()
	w.trace.add("step: %s sees nothing of ZooKeeper for %v", host, d)
	if how%2 == 0 {
		w.net.Cut(host, zooKeeper)
	} else {
		w.net.Freeze(host, zooKeeper)
	}
	w.wg.Go(func() { time.Sleep(d); w.net.Heal(host, zooKeeper) })
	switch how / 2 % 3 {
	case 0:
		w.expireBroker(m)
	case 1: // gone and back, with nobody to see it gone
		w.crash(m, false)
		w.expireBroker(m)
		w.revive(ctx, m)
	case 2:
		w.crash(m, false)
		w.expireBroker(m)
	}
}

// lastBlind lets a broker register anew while the leading Baton has no connection to ZooKeeper, but a session to go on
// with. Nothing happens afterwards that would make it look.
func (w *world) lastBlind(ctx context.Context) {
	m, d := w.brokers[w.rng.IntN(len(w.brokers))], time.Duration(2000+w.rng.IntN(1000))*time.Millisecond
	w.heal(ctx)
	time.Sleep(15 * time.Second)
	for _, b := range w.batons {
		if b.id == w.history.Role().Holder {
			w.blind(ctx, b, m, 0, d)
			time.Sleep(d)
		}
	}
}

// zombie is the classical one. A Baton has something to tell; before it has told one broker all of it, it is cut off from
// ZooKeeper, past its session, and then the broker answers again.
func (w *world) zombie(b *baton, gone, slow *machine, d time.Duration) {
	if b.node == nil || gone == slow {
		return
	}
	host := b.host()
	w.trace.add("step: %s becomes a zombie that %s hears", host, slow.host)
	w.net.Freeze(host, slow.host)
	w.crash(gone, false)
	w.expireBroker(gone)
	w.wg.Go(func() {
		time.Sleep(50*time.Millisecond + d)
		w.net.Freeze(host, zooKeeper)
		time.Sleep(4*time.Second + 3*d)
		w.net.Heal(host, slow.host)
		time.Sleep(d)
		w.net.Heal(host, zooKeeper)
	})
}

// heal ends all faults and starts what is down.
func (w *world) heal(ctx context.Context) {
	w.trace.add("step: the faults end")
	for _, f := range w.faults {
		f.Remove()
	}
	w.zk.Thaw()
	w.healHosts()
	w.goOn()
	for _, b := range w.batons {
		w.reviveBaton(b)
	}
	for _, m := range w.brokers {
		w.revive(ctx, m)
	}
}
