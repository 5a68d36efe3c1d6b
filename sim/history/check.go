package history

import (
	"slices"
	"strings"

	"baton/jute"
	"baton/partition"
	"baton/zkserver"
)

// What must hold at any time, whatever fails:
//
//  1. The controller epoch grows, by one with each claim; whoever creates /controller raises it in the same
//     transaction.
//  2. A state is written only by the session that claimed last, while it holds, and carries that claim's epoch, except
//     where LeadersWriteISR says otherwise.
//  3. The leader is in the ISR; the ISR is a part of the assignment, but for members that it had before the assignment changed, and
//     never empty; nobody is in it twice.
//  4. The leader epoch never goes back, and grows with each change of leader.
//  5. A new leader was in the ISR before, unless an unclean election was asked for (AllowUnclean).
//  6. What only the controller may change is changed on condition of the version of /controller_epoch, where DemandFence says so.
//  7. A Baton takes /controller from another only with its consent, which the same transaction uses up.
//  8. A topic goes after it got a marker, and the marker not before the topic (work.go).
//  9. A replica that a reassignment removes is not forgotten while it is in the ISR (work.go).
func (h *History) checkRole(x *zkserver.Txn, before Role) {
	now := h.role
	if before.Baton && now.Baton && now.Holder != before.Holder && now.Session != before.Session && !slices.ContainsFunc(x.Changes, func(c zkserver.Change) bool {
		return c.Op == jute.OpDelete && c.Path == "/baton/handover"
	}) {
		h.violate(x, "%d took the role from %d, which is a Baton, without its consent", now.Holder, before.Holder)
	}
	if now.Epoch < before.Epoch {
		h.violate(x, "the controller epoch went from %d to %d", before.Epoch, now.Epoch)
	}
	if now.Session != 0 && now.Session != before.Session {
		if now.Epoch != before.Epoch+1 {
			h.violate(x, "%d claimed with epoch %d after %d", now.Holder, now.Epoch, before.Epoch)
		}
		if now.Claimer != now.Session {
			h.violate(x, "session %x raised the epoch, %x owns /controller", now.Claimer, now.Session)
		}
	}
}

// owned begins the paths of what only the controller changes, and whether it also creates it.
var owned = []struct {
	prefix  string
	creates bool
}{
	{"/brokers/topics/", true}, {"/latest_producer_id_block", false}, {"/admin/delete_topics/", false}, {"/admin/reassign_partitions", false},
	{"/isr_change_notification/", false}, {"/log_dir_event_notification/", false},
}

func (h *History) checkFence(x *zkserver.Txn) {
	if slices.Contains(x.Checks, zkserver.Check{Path: "/controller_epoch", Version: h.role.Version}) {
		return
	}
	for _, c := range x.Changes {
		for _, o := range owned {
			if strings.HasPrefix(c.Path, o.prefix) && (o.creates || c.Op != jute.OpCreate) && c.Op != jute.OpSetACL {
				h.violate(x, "%s changed without the fence: %v of %v", c.Path, x.Op, x.Checks)
				return
			}
		}
	}
}

func (h *History) checkState(x *zkserver.Txn, id partition.ID, s State) {
	if !h.byLeaders && (x.Session != h.role.Session || x.Session != h.role.Claimer) {
		h.violate(x, "%v was written by session %x, %x holds and %x claimed last", id, x.Session, h.role.Session, h.role.Claimer)
	}
	if !h.byLeaders && s.ControllerEpoch != h.role.Epoch {
		h.violate(x, "%v was written with controller epoch %d, not %d", id, s.ControllerEpoch, h.role.Epoch)
	}
	if len(s.ISR) == 0 {
		h.violate(x, "%v has an empty ISR", id)
	}
	was, ok := h.states[id]
	for i, member := range s.ISR {
		if !slices.Contains(h.replicas[id], member) && !slices.Contains(was.ISR, member) || slices.Contains(s.ISR[:i], member) {
			h.violate(x, "%v: ISR %v of replicas %v", id, s.ISR, h.replicas[id])
		}
	}
	if s.Leader != NoLeader && !slices.Contains(s.ISR, s.Leader) {
		h.violate(x, "%v: leader %d is not in the ISR %v", id, s.Leader, s.ISR)
	}
	switch {
	case !ok:
		return
	case s.LeaderEpoch < was.LeaderEpoch:
		h.violate(x, "%v: leader epoch went from %d to %d", id, was.LeaderEpoch, s.LeaderEpoch)
	case s.Leader != was.Leader && s.LeaderEpoch == was.LeaderEpoch:
		h.violate(x, "%v: leader %d after %d in the same epoch %d", id, s.Leader, was.Leader, s.LeaderEpoch)
	}
	h.followTails(id, was, s)
	if s.Leader != NoLeader && s.Leader != was.Leader && !slices.Contains(was.ISR, s.Leader) && !h.unclean[id] {
		h.violate(x, "%v: leader %d was not in the ISR %v", id, s.Leader, was.ISR)
	}
}
