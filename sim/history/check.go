package history

import (
	"slices"

	"baton/partition"
	"baton/zkserver"
)

// What must hold at any time, whatever fails:
//
//  1. The controller epoch grows, by one with each claim; whoever creates /controller raises it in the same
//     transaction.
//  2. A state is written only by the session that claimed last, while it holds, and carries that claim's epoch (except where leaders write their ISRs, LeadersWriteISR).
//  3. The leader is in the ISR; the ISR is a part of the assignment and never empty; nobody is in it twice.
//  4. The leader epoch never goes back, and grows with each change of leader.
//  5. A new leader was in the ISR before, unless an unclean election was asked for (AllowUnclean).
func (h *History) checkRole(x *zkserver.Txn, before Role) {
	now := h.role
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
	for i, member := range s.ISR {
		if !slices.Contains(h.replicas[id], member) || slices.Contains(s.ISR[:i], member) {
			h.violate(x, "%v: ISR %v of replicas %v", id, s.ISR, h.replicas[id])
		}
	}
	if s.Leader != NoLeader && !slices.Contains(s.ISR, s.Leader) {
		h.violate(x, "%v: leader %d is not in the ISR %v", id, s.Leader, s.ISR)
	}
	was, ok := h.states[id]
	switch {
	case !ok:
		return
	case s.LeaderEpoch < was.LeaderEpoch:
		h.violate(x, "%v: leader epoch went from %d to %d", id, was.LeaderEpoch, s.LeaderEpoch)
	case s.Leader != was.Leader && s.LeaderEpoch == was.LeaderEpoch:
		h.violate(x, "%v: leader %d after %d in the same epoch %d", id, s.Leader, was.Leader, s.LeaderEpoch)
	}
	if s.Leader != NoLeader && s.Leader != was.Leader && !slices.Contains(was.ISR, s.Leader) && !h.unclean[id] {
		h.violate(x, "%v: leader %d was not in the ISR %v", id, s.Leader, was.ISR)
	}
}
