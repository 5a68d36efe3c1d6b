package coresim

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strings"

	"baton/cluster"
	"baton/partition"
	"baton/planner"
)

// Bugs plants a bug in the executor or in what the machine is shown, to prove that the
// simulation sees it.
type Bugs struct {
	Unfenced      bool // writes go out without the check of /controller_epoch
	TellEarly     bool // brokers are told what was only just attempted
	IgnoreLapse   bool // a restarted member counts as if it had not
	HideBounce    bool // a new czxid is not reported if the broker was there before
	LeaderOutside bool // a leader that is not in the ISR
	ToldBlindly   bool // a request without an answer counts as answered
	ForgetLost    bool // a write whose answer is lost counts as failed
	DropCalls     bool // some replies are swallowed
	DeafToISR     bool // notifications of leaders that write the ISR themselves are not read
}

// Result is what a run was like.
type Result struct {
	Seed  uint64
	Fail  string // empty: every invariant held
	Steps int
	Hash  uint64
	Trace string
	Acked int
	Marks map[string]int // how often something interesting happened
}

type sim struct {
	seed    uint64
	r       rng
	now     planner.Millis
	seq     uint64
	q       queue
	p       params
	zk      *zookeeper
	batons  []*baton
	brokers []*broker
	bugs    Bugs
	fail    string
	steps   int
	healed  bool

	calls map[uint64]*openCall
	token uint64
	conns uint64
	held  []heldFrame
	acked map[partition.ID][]int
	// damaged: partitions whose acknowledged records may be gone for a permitted reason.
	damaged map[partition.ID]bool
	// accepted: partitions for which somebody has asked for an unclean election, until when.
	accepted map[partition.ID]planner.Millis
	record   int
	marks    map[string]int
	// ends: what partitions may be assigned to at the end.
	ends    map[partition.ID][][]int32
	writing map[bounce]int // members of ISRs on their way to ZooKeeper, of whatever Baton

	tracing bool
	log     strings.Builder
	hash    interface {
		Write([]byte) (int, error)
		Sum64() uint64
	}
}

// Run simulates one seed. With trace the Result carries every step.
func Run(seed uint64, bugs Bugs, trace bool) Result { return run(seed, bugs, trace, nil) }

// run is Run with faults of certain kinds only, unless kinds is nil.
func run(seed uint64, bugs Bugs, trace bool, kinds []func(*sim)) Result {
	s := &sim{
		seed: seed, r: rng{seed * 0x2545f4914f6cdd1d}, bugs: bugs, tracing: trace, hash: fnv.New64a(),
		calls: map[uint64]*openCall{}, acked: map[partition.ID][]int{}, damaged: map[partition.ID]bool{},
		accepted: map[partition.ID]planner.Millis{}, ends: map[partition.ID][][]int32{}, marks: map[string]int{}, writing: map[bounce]int{},
	}
	s.zk = newZooKeeper(s)
	s.p = chooseParams(&s.r)
	s.chooseRecovery()
	if kinds != nil {
		s.p.kinds = kinds
	}
	s.start()
	s.runUntil(s.p.chaos)
	if s.fail == "" {
		s.heal()
		s.runUntil(s.now + healTime)
	}
	if s.fail == "" {
		s.checkWell()
	}
	acked := 0
	for _, a := range s.acked {
		acked += len(a)
	}
	return Result{Seed: seed, Fail: s.fail, Steps: s.steps, Hash: s.hash.Sum64(), Trace: s.log.String(), Acked: acked, Marks: s.marks}
}

// runUntil executes what is due, in order of time and then of planning.
func (s *sim) runUntil(end planner.Millis) {
	for s.fail == "" && len(s.q) > 0 && s.q[0].at <= end {
		it := heap.Pop(&s.q).(item)
		s.now = it.at
		s.steps++
		it.do()
	}
	s.now = max(s.now, end)
}

// after plans something.
func (s *sim) after(d planner.Millis, do func()) {
	s.seq++
	heap.Push(&s.q, item{s.now + d, s.seq, do})
}

// failf ends the run with a broken invariant; the first one counts.
func (s *sim) failf(format string, args ...any) {
	if s.fail == "" {
		s.fail = fmt.Sprintf("at %d ms: ", s.now) + fmt.Sprintf(format, args...)
		s.trace("FAIL: %s", s.fail)
	}
}

func (s *sim) mark(what string) { s.marks[what]++ }

// trace adds a line; the hash of all lines is the run's identity.
func (s *sim) trace(format string, args ...any) {
	if !s.tracing {
		return
	}
	line := fmt.Sprintf("%6d %s\n", s.now, fmt.Sprintf(format, args...))
	s.log.WriteString(line)
	_, _ = s.hash.Write([]byte(line))
}

func (s *sim) freshID() cluster.TopicID {
	var id cluster.TopicID
	binary.BigEndian.PutUint64(id[:], s.r.next())
	binary.BigEndian.PutUint64(id[8:], s.r.next())
	return id
}

type item struct {
	at  planner.Millis
	seq uint64
	do  func()
}

type queue []item

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(item)) }
func (q *queue) Pop() any {
	old := *q
	it := old[len(old)-1]
	old[len(old)-1] = item{}
	*q = old[:len(old)-1]
	return it
}
