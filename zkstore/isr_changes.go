package zkstore

import (
	"context"
	"fmt"
	"slices"

	"baton/partition"
	"baton/planner"

	"github.com/go-zookeeper/zk"
)

// isrSlice is how many ISR notifications are read before other news is looked at again.
// A backlog of them whose list was too long for its client stopped Kafka's controller for
// good (KAFKA-6469).
const isrSlice = 512

// isrChanges delivers which states leaders below inter-broker protocol 2.7-IV2 have
// written themselves, each notification once. One that cannot be understood stays where it
// is, watched, in case somebody mends it.
func (r *runner) isrChanges(ctx context.Context) (changed bool, err error) {
	names, err := r.st.s.childrenW(ctx, pathISRChanges)
	if err != nil {
		return false, err
	}
	sortNames(names)
	known := map[string]string{} // what is bad about those that were read; nothing: delivered
	bad := 0
	names = slices.DeleteFunc(names, func(name string) bool {
		reason, read := r.st.known.isrChanges[name]
		if read && reason == "" {
			known[name] = ""
		} else if read {
			bad++
		}
		return read && reason == ""
	})
	if most := isrSlice + bad; len(names) > most {
		names = names[:most]
		defer r.st.event(zk.Event{Type: zk.EventNodeChildrenChanged, Path: pathISRChanges})
	}
	nodes := make([]node, len(names))
	reasons := make([]string, len(names))
	err = parallel(ctx, len(names), r.st.s.cfg.reads(), func(ctx context.Context, i int) (err error) {
		nodes[i], err = r.st.s.getExistingW(ctx, childPath(pathISRChanges, names[i]))
		if classify(err) == classRefused {
			nodes[i].exists, reasons[i], err = true, err.Error(), nil
		}
		return err
	})
	if err != nil {
		return false, err
	}
	var ev planner.ISRChanged
	for i, name := range names {
		path := childPath(pathISRChanges, name)
		if !nodes[i].exists {
			continue
		}
		if reasons[i] == "" {
			ids, err := decodeISRChange(nodes[i].data)
			if err == nil {
				ev.Paths = append(ev.Paths, path)
				ev.Partitions = append(ev.Partitions, ids...)
			} else {
				reasons[i] = err.Error()
			}
		}
		known[name] = reasons[i]
		if reasons[i] != "" {
			ev.Bad = append(ev.Bad, planner.Bad{Path: path, Reason: reasons[i]})
		}
	}
	slices.SortFunc(ev.Partitions, partition.Compare)
	ev.Partitions = slices.Compact(ev.Partitions)
	changed = len(ev.Paths) > 0 || !slices.Equal(ev.Bad, r.st.known.badISRChanges)
	r.st.known.isrChanges, r.st.known.badISRChanges = known, ev.Bad
	if changed {
		r.sink(ev)
	}
	return changed, nil
}

// decodeISRChange returns the partitions that a notification names.
func decodeISRChange(data []byte) ([]partition.ID, error) {
	o, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(o, 1, 1); err != nil {
		return nil, err
	}
	list, err := required[[]object](o, "partitions", "a list of objects")
	if err != nil {
		return nil, err
	}
	ids := make([]partition.ID, 0, len(list))
	for _, p := range list {
		var id partition.ID
		if id.Topic, err = required[string](p, "topic", kindString); err != nil {
			return nil, err
		}
		if id.Number, err = required[int32](p, "partition", kindInt); err != nil {
			return nil, err
		}
		if id.Number < 0 {
			return nil, fmt.Errorf("expected a partition of 0 or more, found %d", id.Number)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
