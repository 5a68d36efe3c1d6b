package planner_test

import (
	"strings"

	"baton/cluster"
	"baton/epoch"
	"baton/partition"
	"baton/planner"
)

// given is what the input lines of a command say.
type given struct {
	brokers    []cluster.Broker
	badBrokers []planner.Bad
	badIDs     []int32
	topics     []planner.TopicRead
	states     []planner.StateRead
	legacy     planner.LegacyReassignments
}

func (w *world) parse() given {
	var in given
	for _, line := range w.input {
		f := strings.Fields(line)
		switch f[0] {
		case "broker":
			for _, b := range f[1:] {
				in.brokers = append(in.brokers, w.parseBroker(b))
			}
		case "bad-broker":
			in.badBrokers = append(in.badBrokers, planner.Bad{Path: "/brokers/ids/" + f[1], Reason: strings.Join(f[2:], " ")})
			in.badIDs = append(in.badIDs, int32(w.parseNum(f[1]))) //nolint:gosec // small
		case "topic":
			in.topics = append(in.topics, w.parseTopic(f[1:]))
		case "bad-topic":
			in.topics = append(in.topics, planner.TopicRead{Name: f[1], Bad: strings.Join(f[2:], " ")})
		case "state":
			in.states = append(in.states, w.parseState(f[1:]))
		case "legacy":
			in.legacy = w.parseLegacy(f[1:])
		default:
			w.t.Fatalf("input line %q", line)
		}
	}
	w.input = nil
	return in
}

// parseBroker reads ID@EPOCH[/PORT][:RACK].
func (w *world) parseBroker(s string) cluster.Broker {
	id, rest, ok := strings.Cut(s, "@")
	if !ok {
		w.t.Fatalf("broker %q is not ID@EPOCH", s)
	}
	rest, rack, racked := strings.Cut(rest, ":")
	czxid, port, _ := strings.Cut(rest, "/")
	b := cluster.Broker{ID: int32(w.parseNum(id)), Epoch: epoch.Broker(w.parseNum(czxid)), Rack: rack, HasRack: racked} //nolint:gosec // small
	if port != "" {
		b.Endpoints = []cluster.Endpoint{{Listener: "PLAINTEXT", Host: "h", Port: int32(w.parseNum(port))}} //nolint:gosec // small
	}
	return b
}

func (w *world) parseID(s string) partition.ID {
	i := strings.LastIndex(s, "-")
	return partition.ID{Topic: s[:i], Number: int32(w.parseNum(s[i+1:]))} //nolint:gosec // small
}

// parseTopic reads NAME [id=N] [version=N] [zxid=N] : 1,2,3 2,3,1
func (w *world) parseTopic(f []string) planner.TopicRead {
	t := planner.TopicRead{Name: f[0], FreshID: cluster.TopicID{99}}
	lists := false
	for _, x := range f[1:] {
		key, v, _ := strings.Cut(x, "=")
		switch {
		case x == ":":
			lists = true
		case lists:
			n := int32(len(t.Partitions)) //nolint:gosec // small
			t.Partitions = append(t.Partitions, planner.PartitionRead{Number: n, Assignment: w.parseAssignment(x)})
		case key == "id":
			t.ID = cluster.TopicID{byte(w.parseNum(v))} //nolint:gosec // small
		case key == "version":
			t.Version = int32(w.parseNum(v)) //nolint:gosec // small
		case key == "zxid":
			t.Zxid = w.parseNum(v)
		default:
			w.t.Fatalf("topic: %q", x)
		}
	}
	return t
}

// parseAssignment reads REPLICAS[+ADDING][-REMOVING]
func (w *world) parseAssignment(s string) partition.Assignment {
	s, removing, _ := strings.Cut(s, "-")
	s, adding, _ := strings.Cut(s, "+")
	return partition.Assignment{Replicas: w.list(s), Adding: w.list(adding), Removing: w.list(removing)}
}

// parseLegacy reads version=N zxid=N : t-0=1,2 …
func (w *world) parseLegacy(f []string) planner.LegacyReassignments {
	r := planner.LegacyReassignments{Exists: true}
	entries := false
	for _, x := range f {
		key, v, _ := strings.Cut(x, "=")
		switch {
		case x == ":":
			entries = true
		case entries:
			r.Items = append(r.Items, planner.Reassignment{ID: w.parseID(key), Replicas: w.list(v)})
		case key == "version":
			r.Version = int32(w.parseNum(v)) //nolint:gosec // small
		case key == "zxid":
			r.Zxid = w.parseNum(v)
		default:
			w.t.Fatalf("legacy: %q", x)
		}
	}
	return r
}

// parseState reads t-0 leader=1 epoch=0 isr=1,2 version=0 [by=4] [zxid=N], t-0 absent, or
// t-0 bad REASON.
func (w *world) parseState(f []string) planner.StateRead {
	s := planner.StateRead{ID: w.parseID(f[0]), Exists: true, Zxid: 50}
	s.State.ControllerEpoch = 4
	for i, x := range f[1:] {
		key, v, _ := strings.Cut(x, "=")
		switch key {
		case "absent":
			s.Exists = false
		case "bad":
			s.Bad = strings.Join(f[i+2:], " ")
			return s
		case "leader":
			s.State.Leader = int32(w.parseNum(v)) //nolint:gosec // small
		case "epoch":
			s.State.LeaderEpoch = epoch.Leader(w.parseNum(v)) //nolint:gosec // small
		case "isr":
			s.State.ISR = w.list(v)
		case "version":
			s.State.PartitionEpoch = epoch.Partition(w.parseNum(v)) //nolint:gosec // small
		case "by":
			s.State.ControllerEpoch = epoch.Controller(w.parseNum(v)) //nolint:gosec // small
		case "zxid":
			s.Zxid = w.parseNum(v)
		case "age":
			s.Age = planner.Millis(w.parseNum(v))
		default:
			w.t.Fatalf("state: %q", x)
		}
	}
	return s
}
