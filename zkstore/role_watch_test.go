package zkstore

import (
	"testing"

	"github.com/go-zookeeper/zk"
)

// The deletion of /controller may be acted on before anything is read again, but not
// past a change that comes before it: a handback writes the hold, then deletes.
func TestTheDeletionDoesNotOvertakeTheHold(t *testing.T) {
	deleted := zk.Event{Type: zk.EventNodeDeleted, Path: pathController}
	for name, c := range map[string]struct {
		before   []zk.Event
		shortcut bool
	}{
		"nothing else":      {nil, true},
		"something foreign": {[]zk.Event{{Type: zk.EventNodeDataChanged, Path: "/brokers/topics/t"}}, true},
		"a hold":            {[]zk.Event{{Type: zk.EventNodeCreated, Path: pathHold}}, false},
		"a migration":       {[]zk.Event{{Type: zk.EventNodeDataChanged, Path: pathMigration}}, false},
		"a reconnect":       {[]zk.Event{{Type: zk.EventSession, State: zk.StateHasSession}}, false},
	} {
		w := &roleWatch{dirty: make(chan struct{}, 1), news: make(chan struct{}, 1),
			view: &RoleView{Controller: &Registration{BrokerID: 1}, Bad: map[string]string{}}}
		for _, ev := range c.before {
			w.event(ev)
		}
		w.event(deleted)
		if got := w.view.Controller == nil; got != c.shortcut {
			t.Errorf("after %s: acted on at once: %v", name, got)
		}
		if len(w.dirty) != 1 {
			t.Errorf("after %s: not read again", name)
		}
	}
}
