package simbroker

import (
	"fmt"

	"baton/partition"
)

// Disk is what a broker keeps when its process ends: log directories with logs. It
// belongs to the broker that runs on it, and is not safe to look at meanwhile.
type Disk struct {
	dirs []*logDir
}

type logDir struct {
	name   string
	failed bool
	logs   map[partition.ID]*plog
}

// NewDisk returns a disk with n empty log directories.
func NewDisk(n int) *Disk {
	d := &Disk{}
	for i := range max(n, 1) {
		d.dirs = append(d.dirs, &logDir{name: fmt.Sprintf("/data-%d", i), logs: map[partition.ID]*plog{}})
	}
	return d
}

// Repair makes the failed directories usable again: for the next start.
func (d *Disk) Repair() {
	for _, dir := range d.dirs {
		dir.failed = false
	}
}

// loseTails drops what was not flushed: what a machine's crash does, unlike a process's.
func (d *Disk) loseTails() {
	for _, dir := range d.dirs {
		for _, l := range dir.logs {
			l.truncate(l.flushed)
			l.checkpoint = min(l.checkpoint, l.end())
		}
	}
}

// find returns a partition's log and its directory, nil if there is none.
func (d *Disk) find(id partition.ID) (*plog, *logDir) {
	for _, dir := range d.dirs {
		if l := dir.logs[id]; l != nil {
			return l, dir
		}
	}
	return nil, nil
}

func (d *Disk) anyFailed() bool {
	for _, dir := range d.dirs {
		if dir.failed {
			return true
		}
	}
	return false
}

// usable returns the directory with the fewest logs among those that work, nil if none
// does.
func (d *Disk) usable() (best *logDir) {
	for _, dir := range d.dirs {
		if !dir.failed && (best == nil || len(dir.logs) < len(best.logs)) {
			best = dir
		}
	}
	return best
}

func (d *Disk) remove(id partition.ID) {
	for _, dir := range d.dirs {
		if !dir.failed {
			delete(dir.logs, id)
		}
	}
}
