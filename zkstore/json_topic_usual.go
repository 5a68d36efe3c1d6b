package zkstore

import (
	"bytes"
	"cmp"
	"slices"

	"baton/cluster"
	"baton/partition"
	"baton/planner"
)

// usualTopic reads what encodeTopic and Kafka write: no white space, keys in any order. False leaves the judgment to
// decodeTopic's long way, which is ten times slower.
func usualTopic(data []byte) (id cluster.TopicID, parts []planner.PartitionRead, ok bool) {
	in := scan{data}
	var adding, removing map[int32][]int32
	var seen [5]bool
	once := func(i int) {
		if seen[i] {
			in.rest = nil
		}
		seen[i] = true
	}
	in.text("{")
	for sep := ""; len(in.rest) > 0 && in.rest[0] != '}'; sep = "," {
		in.text(sep)
		key := in.quoted()
		in.text(":")
		switch string(key) {
		case "version":
			once(0)
			if v := in.number(""); v < 1 || v > 3 {
				return id, nil, false
			}
		case "topic_id":
			once(1)
			var err error
			if id, err = parseTopicID(string(in.quoted())); err != nil {
				return id, nil, false
			}
		case "partitions":
			once(2)
			parts = in.assignments()
		case "adding_replicas":
			once(3)
			adding = in.replicaLists()
		case "removing_replicas":
			once(4)
			removing = in.replicaLists()
		default:
			return id, nil, false
		}
	}
	if string(in.rest) != "}" || !seen[2] {
		return id, nil, false
	}
	for i := range parts {
		if n := parts[i].Number; len(adding)+len(removing) > 0 {
			parts[i].Assignment.Adding, parts[i].Assignment.Removing = adding[n], removing[n]
		}
	}
	byNumber := func(a, b planner.PartitionRead) int { return cmp.Compare(a.Number, b.Number) }
	if !slices.IsSortedFunc(parts, byNumber) {
		slices.SortFunc(parts, byNumber)
	}
	for i := 1; i < len(parts); i++ {
		if parts[i].Number == parts[i-1].Number {
			return id, nil, false
		}
	}
	return id, parts, true
}

// quoted reads a string without escapes.
func (s *scan) quoted() []byte {
	s.text(`"`)
	n := bytes.IndexByte(s.rest, '"')
	if n < 0 || bytes.IndexByte(s.rest[:n], '\\') >= 0 {
		s.rest = nil
		return nil
	}
	out := s.rest[:n]
	s.rest = s.rest[n+1:]
	return out
}

// assignments reads {"0":[1,2],…}. The lists share one piece of memory.
func (s *scan) assignments() []planner.PartitionRead {
	end := max(0, bytes.IndexByte(s.rest, '}'))
	parts := make([]planner.PartitionRead, 0, bytes.Count(s.rest[:end], []byte{'['}))
	ids := make([]int32, 0, bytes.Count(s.rest[:end], []byte{','})+1)
	s.lists(func(n int32) bool {
		from := len(ids)
		ids = s.ids(ids)
		parts = append(parts, planner.PartitionRead{Number: n, Assignment: partition.Assignment{Replicas: ids[from:len(ids):len(ids)]}})
		return len(ids) > from
	})
	return parts
}

// replicaLists reads {"0":[1],…}, mostly {}.
func (s *scan) replicaLists() (out map[int32][]int32) {
	s.lists(func(n int32) bool {
		if _, twice := out[n]; twice {
			return false
		}
		if out == nil {
			out = map[int32][]int32{}
		}
		list := s.ids(nil)
		out[n] = list
		return len(list) > 0
	})
	return out
}

// lists reads an object with numbers as keys; read reads a value, false if it is not as usual.
func (s *scan) lists(read func(n int32) bool) {
	s.text("{")
	for first := true; len(s.rest) > 0 && s.rest[0] != '}'; first = false {
		before := `,"`
		if first {
			before = `"`
		}
		n := s.number(before)
		s.text(`":`)
		if n < 0 || s.rest == nil || !read(n) {
			s.rest = nil
		}
	}
	s.text("}")
}

// ids appends a list of distinct ids.
func (s *scan) ids(to []int32) []int32 {
	s.text("[")
	from := len(to)
	for len(s.rest) > 0 && s.rest[0] != ']' {
		before := ","
		if len(to) == from {
			before = ""
		}
		id := s.number(before)
		if s.rest == nil || id < 0 || slices.Contains(to[from:], id) {
			s.rest = nil
			return to
		}
		to = append(to, id)
	}
	s.text("]")
	return to
}
