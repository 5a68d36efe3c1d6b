package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"baton/e2e/history"
)

// logs is a kept ZooKeeper's history.Source.
type logs struct{ dir, chroot string }

func (l logs) TxnLogDirs() []string { return []string{l.dir} }
func (l logs) Chroot() string       { return l.chroot }

// nobody is the id of a /controller that does not exist.
const nobody = -1

// held says whether id was the controller from before the first topic, without topics from before the first broker,
// to the end. What lasted within one multi only was nobody's to see and does not count.
func held(h *history.History, id int) error {
	first, what := start(h)
	if what == "" {
		return errors.New("no broker has registered")
	}
	var errs []error
	reigns := reigns(h)
	before, after := reign{holder: nobody}, reigns
	for len(after) > 0 && after[0].zxid < first {
		before, after = after[0], after[1:]
	}
	if before.holder != id {
		errs = append(errs, fmt.Errorf("before %s %s", what, before))
	}
	for _, r := range after {
		if r.holder != id {
			errs = append(errs, fmt.Errorf("after it %s", r))
		}
	}
	if errs == nil {
		return nil
	}
	var epochs []string
	for _, e := range h.ControllerEpochs() {
		epochs = append(epochs, fmt.Sprintf("%d at %s", e.Epoch, e.Time.Format(clock)))
	}
	return fmt.Errorf("%d was not the controller throughout: %w (epochs: %s)", id, errors.Join(errs...), strings.Join(epochs, ", "))
}

const clock = "15:04:05.000"

// start finds what the role has to be held for: the first topic, or the first broker of a cluster that never has topics.
func start(h *history.History) (zxid int64, what string) {
	for _, c := range h.Changes {
		if c.Op != history.Create {
			continue
		}
		if topic, ok := child(c.Path, "/brokers/topics/"); ok {
			return c.Zxid, "the first topic, " + topic + ","
		}
		if id, ok := child(c.Path, "/brokers/ids/"); ok && what == "" {
			zxid, what = c.Zxid, "the first broker, "+id+","
		}
	}
	return zxid, what
}

func child(path, parent string) (string, bool) {
	name, ok := strings.CutPrefix(path, parent)
	return name, ok && !strings.Contains(name, "/")
}

// reign is one state of /controller that others could see.
type reign struct {
	zxid   int64
	since  time.Time
	holder int
}

func (r reign) String() string {
	if r.holder == nobody {
		return "nobody held /controller"
	}
	return fmt.Sprintf("%d held /controller (since %s)", r.holder, r.since.Format(clock))
}

func reigns(h *history.History) []reign {
	var all []reign
	for _, c := range h.Controller() {
		r := reign{c.Zxid, c.Time, c.BrokerID}
		if n := len(all); n > 0 && all[n-1].zxid == c.Zxid {
			all[n-1] = r
			continue
		}
		all = append(all, r)
	}
	return all
}
