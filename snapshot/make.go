package snapshot

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/cluster"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// Facts is what a machine does not know of itself.
type Facts struct {
	Taken     time.Time
	Took      time.Duration
	Torn      bool
	Doubt     string // whether the Baton still leads
	Only      []string
	Name      string // of the Baton
	ClusterID string
	Claimed   time.Time // when the machine's time began
	// Config is what ZooKeeper has of topics' configurations by name, and Defaults of the cluster's. Unread says why
	// they could not be read.
	Config     map[string]Config
	Defaults   Config
	Unread     string
	Registered map[int32]time.Time        // by broker
	Written    map[partition.ID]time.Time // of states
}

// Config is what matters of one configuration; nil is not set.
type Config struct {
	Unclean *bool
	MinISR  *int32
	Bad     string // why it cannot be understood
}

// Make turns what a machine remembers into a document.
func Make(mem planner.Memory, f Facts) *Document {
	d := &Document{
		Format: Format, Version: Version, Taken: f.Taken.UTC(), TookMS: f.Took.Milliseconds(), Torn: f.Torn, Doubt: f.Doubt, ClusterID: f.ClusterID, Only: f.Only,
		Controller: Controller{ID: mem.ID, Name: f.Name, Epoch: int32(mem.Fence.Epoch), Since: f.Claimed.UTC()},
		Static: Static{Unclean: mem.Settings.UncleanElection, MinISR: mem.Settings.MinISR, DeleteTopics: mem.Settings.DeleteTopics,
			LeaderRecovery: mem.Settings.LeaderRecovery},
		Defaults: Defaults{Unclean: mem.UncleanDynamic, MinISR: f.Defaults.MinISR, Unreadable: mem.DefaultsBad},
		Unread:   f.Unread, Batons: mem.Image.Batons(), Unreadable: mem.Image.Unread(), Brokers: []Broker{}, Away: []Away{}, Topics: []Topic{},
	}
	d.Static.setPolicy(mem.Settings.Recovery)
	at := func(m planner.Millis) time.Time { return f.Claimed.Add(time.Duration(m) * time.Millisecond).UTC() }
	for _, b := range mem.Image.Brokers() {
		row := makeBroker(b, mem.Image.Leaving(b.ID))
		if row.Since = f.Registered[b.ID].UTC(); f.Registered[b.ID].IsZero() {
			row.Since = time.Time{}
			if m, ok := mem.Registered[b.ID]; ok {
				row.Since = at(m)
			}
		}
		d.Brokers = append(d.Brokers, row)
	}
	hosts := map[int32]bool{}
	for i := range mem.Topics {
		d.Topics = append(d.Topics, makeTopic(d, &mem, &mem.Topics[i], f, at))
		for _, p := range mem.Topics[i].Partitions {
			for _, id := range p.Told().Replicas {
				hosts[id] = true
			}
		}
	}
	d.Away = makeAway(mem, hosts, at)
	return d
}

func makeBroker(b *cluster.Broker, leaving bool) Broker {
	out := Broker{ID: b.ID, Epoch: int64(b.Epoch), Leaving: leaving, Endpoints: []string{}}
	if b.HasRack {
		out.Rack = &b.Rack
	}
	for _, e := range b.Endpoints {
		out.Endpoints = append(out.Endpoints, e.Listener+"://"+hostPort(e))
	}
	return out
}

func hostPort(e cluster.Endpoint) string {
	host := e.Host
	if strings.Contains(host, ":") { // an IPv6 address
		if a, err := netip.ParseAddr(host); err == nil {
			host = "[" + a.String() + "]"
		}
	}
	return host + ":" + strconv.Itoa(int(e.Port))
}

func makeAway(mem planner.Memory, hosts map[int32]bool, at func(planner.Millis) time.Time) []Away {
	out := []Away{}
	for _, a := range mem.Away {
		out = append(out, Away{ID: a.Broker, Epoch: int64(a.Epoch), Since: at(a.At), InOrder: a.Leaving})
		delete(hosts, a.Broker)
	}
	unread := mem.Image.Unread()
	for id := range hosts {
		if mem.Image.Broker(id) == nil && !mem.Image.IsBaton(id) && !slices.Contains(unread, id) {
			out = append(out, Away{ID: id})
		}
	}
	slices.SortFunc(out, func(a, b Away) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func makeTopic(d *Document, mem *planner.Memory, t *planner.TopicMemory, f Facts, at func(planner.Millis) time.Time) Topic {
	out := Topic{Name: t.Name, ZnodeVersion: t.Version, Held: t.Held, Marked: t.Marked, Deleting: t.Deleting, Unreadable: t.Bad,
		Partitions: make([]Partition, 0, len(t.Partitions))}
	if !t.ID.IsZero() {
		out.ID = t.ID.String()
	}
	out.Unclean, out.MinISR = d.effective(f.Config[t.Name], f.Defaults.Bad)
	c := f.Config[t.Name]
	out.Recovery = d.Static.strategy(t.Name, d.Unread == "" && c.Bad == "" && c.Unclean == nil)
	lost, rescues := t.Lost, t.Rescues
	for i := range t.Partitions {
		p := makePartition(mem.Image, &t.Partitions[i])
		if len(lost) > 0 && lost[0].Number == p.Number {
			p.LastLeader = &LastLeader{Broker: lost[0].Leader, Lost: at(lost[0].At)}
			lost = lost[1:]
		}
		if len(rescues) > 0 && rescues[0].Number == p.Number {
			p.Rescue = makeRescue(rescues[0], at)
			rescues = rescues[1:]
		}
		if w, ok := f.Written[partition.ID{Topic: t.Name, Number: p.Number}]; ok {
			p.Written = w.UTC()
		}
		out.Partitions = append(out.Partitions, p)
	}
	return out
}

// effective is what goes for a topic with configuration c, by the planner's rule: what cannot be understood allows nothing.
func (d *Document) effective(c Config, defaultsBad string) (unclean Setting[bool], minISR Setting[int32]) {
	if d.Unread != "" {
		return Setting[bool]{From: Unknown, Unreadable: d.Unread}, Setting[int32]{Value: d.Static.MinISR, From: Unknown, Unreadable: d.Unread}
	}
	switch {
	case c.Bad != "":
		unclean = Setting[bool]{From: Unknown, Unreadable: c.Bad}
	case c.Unclean != nil:
		unclean = Setting[bool]{Value: *c.Unclean, From: FromTopic}
	case d.Defaults.Unreadable != "":
		unclean = Setting[bool]{From: Unknown, Unreadable: d.Defaults.Unreadable}
	case d.Defaults.Unclean != nil:
		unclean = Setting[bool]{Value: *d.Defaults.Unclean, From: FromDefault}
	default:
		unclean = Setting[bool]{Value: d.Static.Unclean, From: FromStatic}
	}
	switch {
	case c.MinISR != nil:
		minISR = Setting[int32]{Value: *c.MinISR, From: FromTopic}
	case d.Defaults.MinISR != nil:
		minISR = Setting[int32]{Value: *d.Defaults.MinISR, From: FromDefault}
	default:
		minISR = Setting[int32]{Value: d.Static.MinISR, From: FromStatic}
	}
	if bad := cmp.Or(c.Bad, defaultsBad); bad != "" && minISR.From != FromTopic {
		minISR.From, minISR.Unreadable = Unknown, bad
	}
	return unclean, minISR
}

func makePartition(im *cluster.Image, p *cluster.Partition) Partition {
	out := Partition{
		Number: p.Number, Replicas: p.Assignment.Replicas, Adding: p.Assignment.Adding, Removing: p.Assignment.Removing,
		Leader: isr.NoLeader, ISR: []int32{}, New: !p.Known, Unreadable: p.Broken, Offline: im.OfflineReplicas(p), FailedDirs: p.Dirs,
	}
	if out.Replicas == nil {
		out.Replicas = []int32{}
	}
	if !p.Known {
		return out
	}
	s := p.State
	out.Leader, out.LeaderEpoch, out.ISR, out.PartitionEpoch = s.Leader, int32(s.LeaderEpoch), s.ISR, int32(s.PartitionEpoch)
	out.ControllerEpoch, out.Recovering = int32(s.ControllerEpoch), s.Recovery == isr.Recovering
	for _, id := range s.ISR {
		if im.Standing(p, id) == partition.Lapsed {
			out.Lapsed = append(out.Lapsed, id)
		}
	}
	return out
}
