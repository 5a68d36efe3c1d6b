package history

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"baton/jute"
	"baton/partition"
	"baton/zkserver"
)

// work is what somebody has asked the controller for, as far as ZooKeeper says so: deletions, reassignments and elections.
type work struct {
	moving  map[partition.ID]moving
	created map[string]int64 // zxids of topics
	configs map[string]bool  // topics that have a znode below /config
	markers map[string]int64 // below /admin/delete_topics, with the zxid of the topic that is meant, 0 if there was none
	legacy  map[string]bool  // the znodes that the old tools write
	dropped []string         // markers that the transaction at hand removes
	strays  map[stray]parting
	buried  map[string]burial
}

// burial is the last deletion of a topic.
type burial struct {
	epoch   int32           // of the controller
	brokers map[int32]int64 // who was registered, with which epoch
}

// stray is a replica that its partition does not name any more.
type stray struct {
	id     partition.ID
	broker int32
}

// parting is how that came.
type parting struct {
	epoch  int32 // of the controller
	excuse bool  // ZooKeeper does not say that the broker has something to delete
}

// moving is a reassignment in progress.
type moving struct{ adding, removing []int32 }

func newWork() work {
	return work{moving: map[partition.ID]moving{}, created: map[string]int64{}, configs: map[string]bool{}, markers: map[string]int64{},
		legacy: map[string]bool{}, strays: map[stray]parting{}, buried: map[string]burial{}}
}

func (w *work) change(c *zkserver.Change, removed bool) {
	switch dir, name := c.Path[:strings.LastIndexByte(c.Path, '/')+1], c.Path[strings.LastIndexByte(c.Path, '/')+1:]; {
	case dir == "/admin/delete_topics/" && removed:
		if zxid := w.markers[name]; zxid != 0 && zxid == w.created[name] {
			w.dropped = append(w.dropped, name)
		}
		delete(w.markers, name)
	case dir == "/admin/delete_topics/" && c.Op == jute.OpCreate:
		w.markers[name] = w.created[name]
	case dir == "/config/topics/" && removed:
		delete(w.configs, name)
	case dir == "/config/topics/":
		w.configs[name] = true
	case c.Path == "/admin/reassign_partitions", c.Path == "/admin/preferred_replica_election":
		w.legacy[c.Path] = !removed
	}
}

// assign takes in a topic's znode.
func (h *History) assign(x *zkserver.Txn, c *zkserver.Change, topic string, removed bool) {
	var v struct {
		Partitions map[string][]int32
		Adding     map[string][]int32 `json:"adding_replicas"`
		Removing   map[string][]int32 `json:"removing_replicas"`
	}
	if !removed && json.Unmarshal(c.Data, &v) != nil {
		return
	}
	switch {
	case removed:
		if _, asked := h.work.markers[topic]; h.fenced && !asked {
			h.violate(x, "topic %s goes, and has no marker", topic)
		}
		delete(h.work.created, topic)
		h.work.buried[topic] = burial{h.role.Epoch, map[int32]int64{}}
		for id, b := range h.brokers {
			h.work.buried[topic].brokers[id] = b.Epoch
		}
	case c.Op == jute.OpCreate:
		h.work.created[topic] = x.Zxid
	}
	of := func(id partition.ID) bool { return id.Topic == topic }
	was, moved := map[partition.ID][]int32{}, map[partition.ID]moving{}
	for id, replicas := range h.replicas {
		if of(id) {
			was[id], moved[id] = replicas, h.work.moving[id]
		}
	}
	maps.DeleteFunc(h.replicas, func(id partition.ID, _ []int32) bool { return of(id) })
	maps.DeleteFunc(h.work.moving, func(id partition.ID, _ moving) bool { return of(id) })
	for number, replicas := range v.Partitions {
		if n, err := strconv.Atoi(number); err == nil {
			id := partition.ID{Topic: topic, Number: int32(n)}
			h.replicas[id], h.work.moving[id] = replicas, moving{v.Adding[number], v.Removing[number]}
			h.checkMove(x, id, was[id], moved[id])
		}
	}
}

// checkMove: a replica that a reassignment removes is out of the ISR before the assignment forgets it.
func (h *History) checkMove(x *zkserver.Txn, id partition.ID, was []int32, m moving) {
	for _, b := range was {
		if slices.Contains(h.replicas[id], b) {
			continue
		}
		if slices.Contains(m.removing, b) && slices.Contains(h.states[id].ISR, b) {
			h.violate(x, "%v: %d is removed from %v and still in the ISR %v", id, b, was, h.states[id].ISR)
		}
		_, there := h.brokers[b]
		h.work.strays[stray{id, b}] = parting{epoch: h.role.Epoch, excuse: !there || slices.Contains(m.adding, b)}
	}
}

// checkDeletions: a marker does not go before its topic, as nothing else says what is to be deleted.
func (h *History) checkDeletions(x *zkserver.Txn) {
	for _, topic := range h.work.dropped {
		if h.fenced && h.work.created[topic] != 0 {
			h.violate(x, "the marker of topic %s goes before the topic", topic)
		}
	}
	h.work.dropped = nil
}

// MayStray says whether a log of a partition may be left on a broker that is no replica: the broker was away when the
// assignment forgot it, or a reassignment that it was to join was cancelled, and whoever knew is not the controller any more.
func (h *History) MayStray(id partition.ID, broker int32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, ok := h.work.strays[stray{id, broker}]
	return ok && p.excuse && p.epoch < h.role.Epoch
}

// MayRemember says whether a broker may still name a topic to clients that was deleted: it was away, or has registered anew
// since, and whoever knew is not the controller any more.
func (h *History) MayRemember(topic string, broker int32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	b, ok := h.work.buried[topic]
	return ok && b.epoch < h.role.Epoch && (b.brokers[broker] == 0 || b.brokers[broker] != h.brokers[broker].Epoch)
}

// Topic returns the zxid that created a topic, 0 if there is none of that name.
func (h *History) Topic(name string) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.work.created[name]
}

// Doomed says whether a topic has a marker.
func (h *History) Doomed(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.work.markers[name]
	return ok
}

// Unfinished names what is not as it should be once everything that was asked for is done.
func (h *History) Unfinished() (left []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name := range h.work.markers {
		left = append(left, "/admin/delete_topics/"+name)
	}
	for path, there := range h.work.legacy {
		if there {
			left = append(left, path)
		}
	}
	for name := range h.work.configs {
		if h.work.created[name] == 0 {
			left = append(left, "/config/topics/"+name+" of no topic")
		}
	}
	for id := range h.states {
		if h.replicas[id] == nil {
			left = append(left, fmt.Sprintf("the state of %v, which has no replicas", id))
		}
	}
	for id, m := range h.work.moving {
		if len(m.adding)+len(m.removing) > 0 {
			left = append(left, fmt.Sprintf("%v: %v adding %v removing %v", id, h.replicas[id], m.adding, m.removing))
		}
	}
	slices.Sort(left)
	return left
}
