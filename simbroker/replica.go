package simbroker

import (
	"errors"
	"slices"
	"time"

	"baton/partition"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// role is what a process does with a replica.
type role int

const (
	idle role = iota
	leading
	following
)

// replica is what a process remembers of one partition; it ends with the process or
// with a StopReplica that deletes. Its log stays on the disk.
type replica struct {
	id      partition.ID
	log     *plog // nil until a LeaderAndIsr was processed
	dir     *logDir
	offline bool // on a failed directory: nothing brings it back but a restart

	leaderEpoch    int32 // -1: never told
	partitionEpoch int32
	leader         int32
	replicas       []int32
	role           role
	high           int64 // high watermark

	// As leader.
	isr        []int32    // committed
	pending    *alterItem // asked for, or frozen by an error code
	epochStart int64
	followers  map[int32]*follower
	produces   []*produceWait

	// As follower.
	notBefore time.Time // back-off after an error
	failed    bool      // fenced: until the next LeaderAndIsr
}

// follower is what a leader knows of one from its fetches.
type follower struct {
	end       int64 // -1: no fetch yet
	caughtUp  time.Time
	lastFetch time.Time
	leaderEnd int64 // the leader's end at the last fetch
	toldHigh  int64
}

var errStorage = errors.New("log directory offline")

// openLog makes sure of the replica's log. Kafka refuses to create one while any
// directory is offline unless the partition is new: the old one may be there (10.2).
func (p *process) openLog(r *replica, isNew bool, topicID [16]byte) error {
	if r.log != nil {
		return nil
	}
	disk := p.opts.Disk
	r.log, r.dir = disk.find(r.id)
	if r.log != nil && !r.dir.failed {
		if r.log.topicID == ([16]byte{}) {
			r.log.topicID = topicID
		}
		r.high = min(r.log.checkpoint, r.log.end())
		return nil
	}
	r.log, r.dir = nil, nil
	dir := disk.usable()
	if dir == nil || !isNew && disk.anyFailed() {
		return errStorage
	}
	r.log, r.dir = &plog{topicID: topicID}, dir
	dir.logs[r.id] = r.log
	return nil
}

// topicIDOf returns the id of a replica's log, also of one that only the disk has.
func (p *process) topicIDOf(r *replica) [16]byte {
	if r.log != nil {
		return r.log.topicID
	}
	if l, dir := p.opts.Disk.find(r.id); l != nil && !dir.failed {
		return l.topicID
	}
	return [16]byte{}
}

// markOffline ends what a replica does, for as long as the process lives.
func (p *process) markOffline(r *replica) {
	r.offline = true
	p.release(r, idle)
	r.log, r.dir = nil, nil
}

// failDir takes a directory's replicas offline and notifies the controller. true: it was
// the last one, and the broker halts.
func (p *process) failDir(dir *logDir) (halted bool) {
	if dir.failed {
		return false
	}
	dir.failed = true
	for _, r := range p.parts {
		if r.dir == dir {
			p.markOffline(r)
		}
	}
	if p.opts.Disk.usable() == nil {
		return true
	}
	p.spawn(p.notifyLogDir)
	return false
}

// release ends a role: whoever waits for it is told so.
func (p *process) release(r *replica, to role) {
	was := r.role
	r.role = to
	if was == leading && to != leading {
		r.pending, r.followers = nil, nil
		for _, w := range r.produces {
			w.finish(p, r)
		}
		r.produces = nil
	}
	p.wake(r.id)
}

// lead is makeLeader (3.9). What the request says of the recovery state is not kept:
// there is nothing to recover, so the next AlterPartition says RECOVERED (13.11).
func (p *process) lead(r *replica, ps *kmsg.LeaderAndISRRequestTopicPartition) {
	newEpoch := ps.LeaderEpoch > r.leaderEpoch
	r.adopt(ps)
	r.isr, r.pending = slices.Clone(ps.ISR), nil
	if newEpoch || r.role != leading {
		r.log.startEpoch(r.leaderEpoch)
		r.epochStart = r.log.end()
		r.followers = map[int32]*follower{}
		for _, id := range r.isr {
			// A member of the ISR has a whole lag time to show up.
			r.followers[id] = &follower{end: -1, caughtUp: time.Now()}
		}
	}
	for id := range r.followers {
		if id == p.opts.ID || !slices.Contains(r.replicas, id) {
			delete(r.followers, id)
		}
	}
	for _, id := range r.replicas {
		if id != p.opts.ID && r.followers[id] == nil {
			r.followers[id] = &follower{end: -1}
		}
	}
	r.role = leading
	p.readTopicConfig(r.id.Topic)
	p.advance(r)
	p.wake(r.id)
}

// follow is makeFollower.
func (p *process) follow(r *replica, ps *kmsg.LeaderAndISRRequestTopicPartition) {
	r.adopt(ps)
	r.isr = nil
	r.failed, r.notBefore = false, time.Time{}
	p.release(r, following)
	p.fetchFrom(r.leader)
}

func (r *replica) adopt(ps *kmsg.LeaderAndISRRequestTopicPartition) {
	r.leaderEpoch, r.partitionEpoch, r.leader = ps.LeaderEpoch, ps.ZKVersion, ps.Leader
	r.replicas = slices.Clone(ps.Replicas)
}

// flush writes everything to disk, as the operating system does sooner or later.
func (p *process) flush() {
	for _, r := range p.parts {
		if r.log != nil {
			r.log.flushed, r.log.checkpoint = r.log.end(), r.high
		}
	}
}

func (p *process) flushAll() { ask(p, func() bool { p.flush(); return true }) }
