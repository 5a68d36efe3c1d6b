package whatif

import (
	"fmt"
	"slices"
	"strings"

	"baton/partition"
	"baton/snapshot"
)

// Verdict is whether a broker can be stopped in order, and what would follow.
type Verdict struct {
	Broker int32 `json:"broker"`
	OK     bool  `json:"ok"`
	// Gone: it is not registered, so stopping it changes nothing.
	Gone bool `json:"gone,omitempty"`
	// Reasons say why not; Notes are worth knowing.
	Reasons []Reason `json:"reasons"`
	Notes   []Reason `json:"notes"`
	// Leads and Hosts count the partitions that it leads and has a replica of.
	Leads int `json:"leads"`
	Hosts int `json:"hosts"`
	// Leaders says who leads more when it has shut down in order.
	Leaders []Gain `json:"leaders"`
}

// Reason is one reason, with some of the partitions that it is about.
type Reason struct {
	Text     string   `json:"text"`
	Count    int      `json:"partitions"`
	Examples []string `json:"examples,omitempty"` // maxExamples at most
}

const maxExamples = 5

func (r *Reason) add(id partition.ID) {
	if r.Count++; r.Count <= maxExamples {
		r.Examples = append(r.Examples, id.String())
	}
}

// CanStop asks whether a broker can be shut down in order and come back, without a partition being offline, under its
// min.insync.replicas or led by a replica that is not in sync meanwhile, and without anything being in the way that needs it.
func CanStop(doc *snapshot.Document, id int32) (*Verdict, error) {
	if err := known(doc, []int32{id}); err != nil {
		return nil, err
	}
	v := &Verdict{Broker: id, Reasons: []Reason{}, Notes: []Reason{}, Leaders: []Gain{}}
	if doc.Broker(id) == nil && !slices.Contains(doc.Unreadable, id) {
		v.OK, v.Gone = true, true
		return v, nil
	}
	w, err := Open(doc, Options{})
	if err != nil {
		return nil, err
	}
	if err := w.Leave(id); err != nil {
		return nil, err
	}
	if err := w.Fail(id); err != nil {
		return nil, err
	}
	r := w.compare()
	for _, g := range r.Leaders {
		if g.Broker != id {
			v.Leaders = append(v.Leaders, g)
		}
	}
	v.effects(r)
	v.inTheWay(doc)
	v.OK = len(v.Reasons) == 0
	return v, nil
}

// effects takes over what makes stopping unsafe. What the controller would do without the stop, too, is the same with it.
func (v *Verdict) effects(r *Result) {
	texts := []struct {
		effect Effect
		text   string
	}{
		{Loss, "would be led by a replica that is not in sync, and lose records: unclean election is allowed"},
		{Offline, "would have no leader: no other replica is live and in sync"},
		{UnderMinISR, "would be under min.insync.replicas: producers with acks=all would fail"},
		{Thinner, "are under min.insync.replicas already, and would lose another replica in sync"},
	}
	for _, t := range texts {
		reason := Reason{Text: t.text}
		for i := range r.Changes {
			if r.Changes[i].Has(t.effect) {
				reason.add(r.Changes[i].ID)
			}
		}
		if reason.Count > 0 {
			v.Reasons = append(v.Reasons, reason)
		}
	}
}

// inTheWay looks for work that needs the broker, for others that are away, and for what cannot be judged.
func (v *Verdict) inTheWay(doc *snapshot.Document) {
	moving := Reason{Text: "are being reassigned, which needs this broker"}
	doomed := Reason{Text: "are to be deleted, which would wait for this broker"}
	unreadable := Reason{Text: "cannot be judged: what ZooKeeper says of them cannot be understood"}
	away := map[int32]*Reason{}
	var others []int32
	for i := range doc.Topics {
		t := &doc.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if !slices.Contains(p.Replicas, v.Broker) && !slices.Contains(p.ISR, v.Broker) {
				continue
			}
			id := partition.ID{Topic: t.Name, Number: p.Number}
			v.Hosts++
			if p.Leader == v.Broker {
				v.Leads++
			}
			switch {
			case t.Marked || t.Deleting:
				doomed.add(id)
				continue
			case p.Unreadable != "" || t.Unreadable != "":
				unreadable.add(id)
			case len(p.Adding)+len(p.Removing) > 0:
				moving.add(id)
			}
			for _, o := range p.Offline {
				if o == v.Broker {
					continue
				}
				if away[o] == nil {
					away[o] = &Reason{Text: fmt.Sprintf("have a replica on broker %d as well, which %s", o, absence(doc, o))}
					others = append(others, o)
				}
				away[o].add(id)
			}
		}
	}
	slices.Sort(others)
	for _, r := range []Reason{moving, doomed, unreadable} {
		if r.Count > 0 {
			v.Reasons = append(v.Reasons, r)
		}
	}
	for _, o := range others {
		v.Reasons = append(v.Reasons, *away[o])
	}
	if doc.Unread != "" {
		v.Reasons = append(v.Reasons, Reason{Text: "min.insync.replicas of the topics is not known: " + doc.Unread})
	}
	if doc.Doubt != "" {
		v.Reasons = append(v.Reasons, Reason{Text: doc.Doubt})
	}
	if doc.Torn {
		v.Reasons = append(v.Reasons, Reason{Text: "brokers came or went while the snapshot was taken: ask again"})
	}
	v.elsewhere(doc, others)
}

func absence(doc *snapshot.Document, id int32) string {
	switch b := doc.Broker(id); {
	case b == nil:
		return "is away"
	case b.Leaving:
		return "is shutting down"
	}
	return "has lost the replica's log directory"
}

// elsewhere notes brokers that are away and share nothing with this one.
func (v *Verdict) elsewhere(doc *snapshot.Document, shared []int32) {
	var list []int32
	for _, a := range doc.Away {
		if a.ID != v.Broker && !slices.Contains(shared, a.ID) {
			list = append(list, a.ID)
		}
	}
	for _, b := range doc.Brokers {
		if b.Leaving && b.ID != v.Broker && !slices.Contains(shared, b.ID) {
			list = append(list, b.ID)
		}
	}
	if len(list) > 0 {
		v.Notes = append(v.Notes, Reason{Text: fmt.Sprintf("brokers that share no partition with it are away or shutting down: %s", ids(list))})
	}
}

// String is a reason as a line: the count and some names.
func (r Reason) String() string {
	if r.Count == 0 {
		return r.Text
	}
	names := strings.Join(r.Examples, ", ")
	if r.Count > len(r.Examples) {
		names += ", …"
	}
	return fmt.Sprintf("%d partitions %s (%s)", r.Count, r.Text, names)
}
