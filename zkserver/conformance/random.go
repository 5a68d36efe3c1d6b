package conformance

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"baton/jute"
)

// Walk does n random operations by three sessions below a new root and tells what came of each, in words that are the
// same on two servers that behave the same: zxids count from the walk's begin, sessions have numbers, times are left out.
func Walk(e *Env, seed uint64, n int) []string {
	e.Root = fmt.Sprintf("/walk%d", roots.Add(1))
	w := &walk{e: e, rnd: rand.New(rand.NewPCG(seed, 0)), owners: map[int64]int64{}}
	for i := range 3 {
		w.peers = append(w.peers, e.Dial())
		w.owners[w.peers[i].Session.SessionID] = int64(i) + 1
	}
	w.peers[0].ok(w.peers[0].create(e.Root, "", 0))
	w.base = w.peers[0].Zxid
	for range n {
		w.step()
	}
	for _, p := range w.peers {
		p.endSession()
	}
	for i, line := range w.log {
		w.log[i] = strings.ReplaceAll(line, e.Root, "")
	}
	return w.log
}

type walk struct {
	e      *Env
	rnd    *rand.Rand
	peers  []*Raw
	owners map[int64]int64
	base   int64
	log    []string
}

func (w *walk) path() string {
	p := w.e.Root
	for range 1 + w.rnd.IntN(3) {
		p += "/" + string(rune('a'+w.rnd.IntN(3)))
	}
	return p
}

func (w *walk) version() int32 { return int32(w.rnd.IntN(5)) - 2 }

func (w *walk) write() jute.MultiOp {
	p := w.path()
	switch w.rnd.IntN(10) {
	case 0, 1, 2, 3:
		return jute.MultiOp{Op: jute.OpCreate, Request: &jute.CreateRequest{Path: p, Data: []byte("x"), ACL: jute.WorldACL(), Flags: int32(w.rnd.IntN(4))}}
	case 4, 5:
		return mDelete(p, w.version())
	case 6:
		return mCheck(p, w.version())
	case 7:
		return mCreate2(p)
	default:
		return mSet(p, fmt.Sprint(w.rnd.IntN(1000)), w.version())
	}
}

func (w *walk) step() {
	r := w.peers[w.rnd.IntN(len(w.peers))]
	op, body := jute.OpMulti, jute.Record(nil)
	switch k := w.rnd.IntN(20); {
	case k < 8:
		o := w.write()
		if op, body = o.Op, o.Request; op == jute.OpCheck { // which stands in multis only
			op, body = jute.OpMulti, &jute.MultiRequest{Ops: []jute.MultiOp{o}}
		}
	case k < 12:
		m := &jute.MultiRequest{}
		for range 1 + w.rnd.IntN(4) {
			m.Ops = append(m.Ops, w.write())
		}
		body = m
	case k < 14:
		op, body = jute.OpAddWatch, &jute.PathKindRequest{Path: w.path(), Kind: int32(w.rnd.IntN(2))}
	case k < 15:
		op, body = jute.OpRemoveWatches, &jute.PathKindRequest{Path: w.path(), Kind: 1 + int32(w.rnd.IntN(3))}
	default:
		op = []jute.Op{jute.OpExists, jute.OpGetData, jute.OpGetChildren2}[w.rnd.IntN(3)]
		body = &jute.PathWatchRequest{Path: w.path(), Watch: w.rnd.IntN(2) == 0}
	}
	h, b, err := r.Reply(r.Send(op, body))
	if err != nil {
		w.e.Fatal(op, err)
	}
	line := fmt.Sprintf("%v %s: zxid %d, %d", op, show(body), h.Zxid-w.base, h.Err)
	if h.Err == jute.OK {
		line += " " + w.tell(op, b)
	}
	w.log = append(w.log, line)
	for i, p := range w.peers {
		if seen := p.events(); len(seen) > 0 {
			w.log = append(w.log, fmt.Sprintf("  %d saw %v", i, seen))
		}
	}
}

// show is a request in words.
func show(body jute.Record) string {
	m, ok := body.(*jute.MultiRequest)
	if !ok {
		return fmt.Sprintf("%+v", body)
	}
	s := ""
	for _, o := range m.Ops {
		s += fmt.Sprintf("{%v %s}", o.Op, show(o.Request))
	}
	return s
}

// tell is a response without what differs between servers.
func (w *walk) tell(op jute.Op, b []byte) string {
	d := jute.NewDecoder(b)
	var s string
	switch op {
	case jute.OpCreate:
		s = d.String()
	case jute.OpCreate2:
		var r jute.PathStatResponse
		r.Decode(d)
		s = r.Path + w.stat(&r.Stat)
	case jute.OpSetData, jute.OpExists:
		var st jute.Stat
		st.Decode(d)
		s = w.stat(&st)
	case jute.OpGetData:
		var r jute.DataResponse
		r.Decode(d)
		s = fmt.Sprintf("%q %v%s", r.Data, r.Data == nil, w.stat(&r.Stat))
	case jute.OpGetChildren2:
		var r jute.ChildrenResponse
		r.Decode(d)
		s = fmt.Sprint(sorted(r.Children), w.stat(&r.Stat))
	case jute.OpMulti:
		var r jute.MultiResponse
		r.Decode(d)
		s = fmt.Sprint(results(r.Results))
		for _, x := range r.Results {
			switch rsp := x.Response.(type) {
			case *jute.Stat:
				s += w.stat(rsp)
			case *jute.PathStatResponse:
				s += w.stat(&rsp.Stat)
			}
		}
	}
	if d.Err() != nil {
		w.e.Fatal(op, d.Err())
	}
	return s
}

func (w *walk) stat(s *jute.Stat) string {
	t := *s
	t.Ctime, t.Mtime = 0, 0
	t.Czxid, t.Mzxid, t.Pzxid = t.Czxid-w.base, t.Mzxid-w.base, t.Pzxid-w.base
	if t.EphemeralOwner != 0 {
		t.EphemeralOwner = w.owners[t.EphemeralOwner]
	}
	return fmt.Sprintf(" %+v", t)
}
