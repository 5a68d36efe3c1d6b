package check

import (
	"fmt"
	"slices"
	"strings"

	"baton/zkstore"
)

// Evaluate applies every rule to the facts, in the order in which a person would look.
func Evaluate(f *Facts) Report {
	e := &evaluation{Facts: f}
	e.servers()
	e.session()
	// What could not be read must not look as if nothing were wrong with it.
	if f.Session.Err == "" && len(f.ReadErrs) == 0 {
		e.holder()
		e.role()
		e.identity()
		e.registrations()
		e.brokers()
		e.protocols()
		e.listeners()
		e.settings()
		e.recovery()
		e.work()
		e.unreadable()
	}
	r := Report{Findings: e.found, Unreachable: f.Session.Err != ""}
	for _, x := range e.found {
		switch x.Level {
		case OK:
			r.OK++
		case Warn:
			r.Warnings++
		case Fail:
			r.Failures++
		}
	}
	return r
}

type evaluation struct {
	*Facts
	found []Finding
}

func (e *evaluation) add(l Level, item, fix, detail string, args ...any) {
	e.found = append(e.found, Finding{Level: l, Item: item, Detail: fmt.Sprintf(detail, args...), Fix: fix})
}

func (e *evaluation) servers() {
	for _, s := range e.Servers {
		item := "ZooKeeper " + s.Addr
		switch {
		case s.Err == "" && s.Mode == "":
			e.add(OK, item, "", "reachable")
		case s.Err == "":
			e.add(OK, item, "", "%s, version %s", s.Mode, s.Version)
		case e.Session.Err == "":
			e.add(Warn, item, "start the server, or take it out of zookeeper.connect", "not reachable: %s", s.Err)
		default:
			e.add(Fail, item, "start the server, or correct zookeeper.connect", "not reachable: %s", s.Err)
		}
	}
}

func (e *evaluation) session() {
	const item = "ZooKeeper session"
	s, c := e.Session, e.Config
	if s.Err != "" {
		e.add(Fail, item, "check zookeeper.connect, the network and ZooKeeper's own log", "none could be opened: %s", s.Err)
		return
	}
	if s.Timeout != c.ZooKeeperSessionTimeout {
		e.add(Warn, item, "set zookeeper.session.timeout.ms between ZooKeeper's minSessionTimeout and maxSessionTimeout",
			"asked for a timeout of %v, got %v", c.ZooKeeperSessionTimeout, s.Timeout)
	} else {
		e.add(OK, item, "", "opened on %s, timeout %v", s.Server, s.Timeout)
	}
	for _, err := range e.ReadErrs {
		e.add(Fail, "reading ZooKeeper", "see ZooKeeper's ACLs and log", "%s", err)
	}
	if len(e.ReadErrs) > 0 {
		return
	}
	switch {
	case !s.HasChroot:
		e.add(Fail, "chroot", "correct the path at the end of zookeeper.connect; brokers create theirs, Baton never does",
			"%s does not exist", c.ZooKeeperChroot)
	case c.ZooKeeperChroot != "":
		e.add(OK, "chroot", "", "%s exists", c.ZooKeeperChroot)
	}
	if e.ClusterID == "" {
		e.add(Fail, "cluster id", "correct zookeeper.connect: no broker has ever started here", "/cluster/id does not exist")
	} else {
		e.add(OK, "cluster id", "", "%s", e.ClusterID)
	}
}

func (e *evaluation) holder() {
	const item = "/controller"
	h, epoch := e.Role.Controller, e.Role.Epoch
	switch {
	case e.Role.Bad[item] != "":
		return // unreadable() says so
	case h == nil:
		e.add(Warn, item, "", "nobody holds the role at the moment; controller epoch %d", epoch)
	case h.KRaftEpoch > 0:
		e.add(Fail, item, "Baton never takes a cluster from KRaft controllers",
			"held by KRaft controller %d (kraftControllerEpoch %d): the cluster is migrating", h.BrokerID, h.KRaftEpoch)
	case h.Owner == 0:
		e.add(Fail, item, "find out who created it, then delete it by hand",
			"names %d, but is not ephemeral: it will not go away with whoever holds it", h.BrokerID)
	case h.Baton != nil:
		level := OK
		if h.BrokerID == int32(e.Config.NodeID) && h.Baton.Name != e.Config.InstanceName {
			level = Fail
		}
		e.add(level, item, "", "held by Baton %d (%s, version %s); controller epoch %d", h.BrokerID, h.Baton.Name, h.Baton.Version, epoch)
	case !e.registered(h.BrokerID):
		e.add(Warn, item, "wait until its session has expired, then check again",
			"held by broker %d, which is not registered; controller epoch %d", h.BrokerID, epoch)
	default:
		e.add(OK, item, "", "held by broker %d; controller epoch %d", h.BrokerID, epoch)
	}
	if e.Role.EpochVersion < 0 && e.Role.Bad["/controller_epoch"] == "" {
		e.add(Warn, "/controller_epoch", "", "does not exist: no controller has ever been elected here")
	}
}

func (e *evaluation) registered(id int32) bool {
	return slices.ContainsFunc(e.Brokers, func(b Broker) bool { return b.ID == id && !b.Baton })
}

func (e *evaluation) role() {
	if e.Role.Migration != "" {
		e.add(Fail, "/migration", "Baton refuses to claim a cluster that migrates; finish or roll back the migration", "active: %s", e.Role.Migration)
	} else if e.Role.Bad["/migration"] == "" {
		e.add(OK, "/migration", "", "no migration to KRaft")
	}
	if h := e.Role.Hold; h != nil {
		e.add(Warn, "/baton/hold", "`controller takeover` removes it", "set by %s at %s: %s",
			h.Who, h.When.UTC().Format("2006-01-02 15:04:05Z"), orDash(h.Why))
	} else if e.Role.Bad["/baton/hold"] == "" {
		e.add(OK, "/baton/hold", "", "not set")
	}
	var others []string
	for _, m := range e.Role.Members {
		if m.ID != int32(e.Config.NodeID) {
			others = append(others, fmt.Sprintf("%d (%s, %s, version %s)", m.ID, m.Name, m.Mode, m.Version))
		}
	}
	if len(others) > 0 {
		e.add(OK, "other Batons", "", "%s", strings.Join(others, ", "))
	}
}

func (e *evaluation) work() {
	var items []string
	if len(e.Topics.Deleting) > 0 {
		items = append(items, "deletions will go on: "+some(e.Topics.Deleting))
	}
	if len(e.Topics.Reassigning) > 0 {
		items = append(items, "reassignments will go on: "+some(e.Topics.Reassigning))
	}
	if len(items) == 0 {
		items = []string{"no topic is being deleted or reassigned"}
	}
	e.add(OK, "work in progress", "", "%s", strings.Join(items, "; "))
}

func (e *evaluation) unreadable() {
	for _, path := range sortedKeys(e.Role.Bad) {
		e.add(Fail, path, "a claim is refused while it cannot be understood; Baton never overwrites it", "unreadable: %s", e.Role.Bad[path])
	}
	bad := make([]string, len(e.Topics.Bad))
	for i, b := range e.Topics.Bad {
		bad[i] = b.Path + ": " + b.Reason
	}
	t := e.Topics
	if len(bad) > 0 {
		e.add(Warn, "unreadable znodes", "the brokers' controller cannot read them either; such partitions are left untouched and unled",
			"%d: %s", len(bad), some(bad))
	}
	e.add(OK, "topics", "", "%d topics, %d partitions, %d without a leader", t.Count, t.Partitions, t.Leaderless)
}

// some joins a list, the end of a long one left out.
func some(items []string) string {
	const limit = 10
	if n := len(items) - limit; n > 0 {
		return strings.Join(items[:limit], ", ") + fmt.Sprintf(", and %d more", n)
	}
	return strings.Join(items, ", ")
}

func orDash(s string) string {
	if s == "" {
		return "no reason given"
	}
	return s
}

// memberWith finds another live Baton that uses our id.
func memberWith(members []zkstore.Member, id int32, name string) (zkstore.Member, bool) {
	for _, m := range members {
		if m.ID == id && m.Name != name {
			return m, true
		}
	}
	return zkstore.Member{}, false
}
