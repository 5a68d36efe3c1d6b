package sim

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"baton/jute"
	"baton/zkserver"
)

// trace collects what happened, in order, with the time since the run began.
type trace struct {
	mu    sync.Mutex
	start time.Time
	lines []string
}

func newTrace() *trace { return &trace{start: time.Now()} }

func (t *trace) add(format string, args ...any) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, fmt.Sprintf("%9.3f ", time.Since(t.start).Seconds())+fmt.Sprintf(format, args...))
}

func (t *trace) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n") + "\n"
}

// txn adds a transaction of ZooKeeper's.
func (t *trace) txn(x *zkserver.Txn) {
	if t == nil {
		return
	}
	var parts []string
	for _, c := range x.Changes {
		data := string(c.Data)
		if len(data) > 160 {
			data = data[:160] + "…"
		}
		verb := map[jute.Op]string{jute.OpCreate: "create", jute.OpDelete: "delete", jute.OpSetData: "set"}[c.Op]
		parts = append(parts, fmt.Sprintf("%s %s %s", verb, c.Path, data))
	}
	failed := ""
	if x.Failed {
		failed = " failed"
	}
	t.add("zookeeper %x by %x:%s %v %s", x.Zxid, x.Session, failed, x.Op, strings.Join(parts, "; "))
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
