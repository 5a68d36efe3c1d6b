package conformance

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"baton/jute"
)

// Version is a ZooKeeper's.
type Version [3]int

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// Target is a server that cases run on.
type Target struct {
	Server  string
	Addr    string
	Version Version
	// MinSession and MaxSession are what the server is configured with; MinSession is two ticks.
	MinSession, MaxSession time.Duration
	// Java runs a script of commands on Java's client, each answered by a line; nil if there is no Java.
	Java func(t testing.TB, commands ...string) []string
}

// Case is one behaviour.
type Case struct {
	Name string
	Min  Version // the first version that has it
	Run  func(e *Env)
	// Older runs on servers before Min; nil means that the opcode is unknown there.
	Older func(e *Env)
	Op    jute.Op     // the opcode that Min introduced, if Older is nil
	Body  jute.Record // a request of it
	Java  bool        // needs Java's client
}

// Env is what a case works with.
type Env struct {
	testing.TB
	*Target
	Root string
}

var roots atomic.Int64

// Run runs all cases on a target and returns how many ran.
func Run(t *testing.T, target *Target) int {
	ran := 0
	for _, c := range Cases() {
		if c.Java && target.Java == nil {
			continue
		}
		ran++
		t.Run(strings.ReplaceAll(c.Name, " ", "_"), func(t *testing.T) { c.on(t, target) })
	}
	return ran
}

func (c *Case) on(t testing.TB, target *Target) {
	e := &Env{TB: t, Target: target, Root: fmt.Sprintf("/case%d", roots.Add(1))}
	if !e.AtLeast(c.Min) {
		if c.Older == nil {
			e.unknown(c.Op, c.Body)
			return
		}
		r := e.Dial()
		r.ok(r.create(e.Root, "root", 0))
		c.Older(e)
		return
	}
	r := e.Dial()
	r.ok(r.create(e.Root, "root", 0))
	r.Close()
	c.Run(e)
}

// Cases are all of them.
func Cases() []Case {
	var all []Case
	for _, group := range [][]Case{
		createCases, createKindCases, nodeCases, statCases, readCases, watchCases(), setWatchesCases, persistentCases(),
		multiCases(), multiReadCases(), sessionCases, aclCases(), limitCases, orderCases, clientCases, javaCases(),
	} {
		all = append(all, group...)
	}
	return all
}

// AtLeast says whether the server is of this version or newer.
func (e *Env) AtLeast(v Version) bool {
	for i := range v {
		if e.Version[i] != v[i] {
			return e.Version[i] > v[i]
		}
	}
	return true
}

// path is one below the case's root.
func (e *Env) path(name string) string { return e.Root + "/" + name }

// unknown asserts how a server answers an opcode that it does not know: with an error, and by closing the connection.
func (e *Env) unknown(op jute.Op, body jute.Record) {
	e.Helper()
	r := e.Dial()
	h := r.Send(op, body)
	reply, _, err := r.Reply(h)
	if err != nil || reply.Err != jute.Unimplemented {
		e.Fatalf("%v on %v: %+v, %v; want %v", op, e.Version, reply, err, jute.Unimplemented)
	}
	r.closed()
}

func same[T comparable](e testing.TB, what string, got, want T) {
	e.Helper()
	if got != want {
		e.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func list(e testing.TB, what string, got []string, want ...string) {
	e.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		e.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// client opens a session of go-zookeeper's, events to f.
func (e *Env) client(f func(zk.Event)) *zk.Conn {
	e.Helper()
	ready := make(chan struct{})
	first := true
	conn, events, err := zk.Connect([]string{e.Addr}, 10*time.Second, zk.WithLogger(quiet{}), zk.WithEventCallback(func(ev zk.Event) {
		if ev.State == zk.StateHasSession && first {
			first = false
			close(ready)
		}
		if f != nil && ev.Type != zk.EventSession {
			f(ev)
		}
	}))
	if err != nil {
		e.Fatal(err)
	}
	go func() {
		for range events {
		}
	}()
	e.Cleanup(conn.Close)
	select {
	case <-ready:
	case <-time.After(patience):
		e.Fatal("no session")
	}
	return conn
}
