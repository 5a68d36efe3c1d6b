package node

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"baton/zkstore"
)

const (
	pathController = "/controller"
	pathHold       = "/baton/hold"
)

// Mode is controller.mode.
type Mode string

const (
	// Standby claims only when nobody holds.
	Standby Mode = "standby"
	// Active also takes /controller from a broker; never from another Baton.
	Active Mode = "active"
)

// step is what a process should do about the role now.
type step int

const (
	wait     step = iota // somebody else holds, or may not be disturbed
	refuse               // claiming would be unsafe; an operator should look
	claim                // claim, replacing the present holder if there is one
	keep                 // we hold, go on
	resign               // we held and do not any more
	consent              // we hold and let the asking Baton take over
	release              // /controller is ours and must not be: give it up in order
	withdraw             // we hold and the Baton that we let take over is gone
)

// stance is what a process is, apart from what ZooKeeper says.
type stance struct {
	id       int32
	instance string
	session  int64
	mode     Mode
	force    bool  // an operator asked this very process to take over
	holding  bool  // it has an unfinished claim
	version  int32 // dataVersion of /controller_epoch of that claim
	// cleared is the hold that this claim cleared: a view is not read at one moment and may
	// still show it.
	cleared *zkstore.Hold
}

// next decides from the role view alone; the reason is for people.
func next(v zkstore.RoleView, s stance) (step, string) {
	c := v.Controller
	// The session that owns it says whose it is, also when somebody has scribbled on it.
	ours := c != nil && c.Owner == s.session && (c.BrokerID == s.id || v.Bad[pathController] != "")
	if s.holding {
		switch {
		case v.EpochVersion < s.version:
			return keep, "" // read before our claim
		case !ours:
			return resign, "/controller is no longer ours: " + holder(v)
		case v.EpochVersion != s.version:
			return resign, fmt.Sprintf("/controller_epoch has moved on to %d", v.Epoch)
		case v.Hold != nil && !sameHold(v.Hold, s.cleared) && v.Bad[pathHold] == "":
			return release, heldBy(v.Hold) // it was written while we were claiming
		case v.Handover != nil && v.Handover.To != s.id && v.Handover.Consent == 0 && isMember(v, v.Handover.To):
			return consent, fmt.Sprintf("%d asks to take over", v.Handover.To)
		case v.Handover != nil && v.Handover.Consent == v.Epoch && !isMember(v, v.Handover.To):
			return withdraw, fmt.Sprintf("%d is gone", v.Handover.To)
		}
		return keep, ""
	}
	// A znode of this very session that no term stands on keeps everybody else from
	// leading for as long as the session lives.
	if why := unsafe(v); why != "" {
		if ours {
			return release, why
		}
		return refuse, why
	}
	if v.Hold != nil && !s.force {
		if ours {
			return release, heldBy(v.Hold)
		}
		return wait, heldBy(v.Hold)
	}
	switch {
	case v.Handover != nil && v.Handover.Consent == v.Epoch && v.Handover.To == s.id:
		return claim, fmt.Sprintf("%d hands over to us", v.Handover.From)
	case c == nil && v.Handover != nil && v.Handover.Consent == v.Epoch && isMember(v, v.Handover.To):
		return wait, fmt.Sprintf("%d is taking over", v.Handover.To)
	case c == nil:
		return claim, "nobody holds /controller"
	case c.BrokerID == s.id && c.Baton != nil && c.Baton.Name == s.instance:
		return claim, "/controller is left from our own earlier session"
	case c.Baton != nil:
		return wait, holder(v)
	case s.mode == Active || s.force:
		return claim, "taking over from " + holder(v)
	}
	return wait, holder(v)
}

func heldBy(h *zkstore.Hold) string {
	return fmt.Sprintf("held since %s by %s: %s", h.When.Format("2006-01-02 15:04:05"), h.Who, h.Why)
}

// unsafe says why nobody of us may claim on such a cluster, empty if we may.
func unsafe(v zkstore.RoleView) string {
	var why []string
	for _, path := range slices.Sorted(maps.Keys(v.Bad)) {
		why = append(why, fmt.Sprintf("%s cannot be understood: %s", path, v.Bad[path]))
	}
	if v.Controller != nil && v.Controller.KRaftEpoch > 0 {
		why = append(why, fmt.Sprintf("/controller is held by a KRaft controller (kraftControllerEpoch %d)", v.Controller.KRaftEpoch))
	}
	if v.Migration != "" {
		why = append(why, "a migration to KRaft is active: "+v.Migration)
	}
	return strings.Join(why, "; ")
}

func isMember(v zkstore.RoleView, id int32) bool {
	return slices.ContainsFunc(v.Members, func(m zkstore.Member) bool { return m.ID == id })
}

func sameHold(a, b *zkstore.Hold) bool {
	return a != nil && b != nil && a.Who == b.Who && a.Why == b.Why && a.When.Equal(b.When)
}

// holder names who holds /controller, for people.
func holder(v zkstore.RoleView) string {
	switch c := v.Controller; {
	case c == nil:
		return "nobody holds /controller"
	case v.Bad[pathController] != "":
		return "/controller cannot be understood"
	case c.Baton != nil:
		return fmt.Sprintf("Baton %d (%s)", c.BrokerID, c.Baton.Name)
	default:
		return fmt.Sprintf("broker %d", c.BrokerID)
	}
}
