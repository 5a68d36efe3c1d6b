package node

import (
	"strings"
	"testing"
	"time"

	"baton/admin"
)

// The active Baton has an image, also while ZooKeeper does not answer; it then says what is in doubt and what is missing. Who is
// not active says who is.
func TestSnapshot(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a := w.join(t, a1, Standby)
		time.Sleep(10 * time.Second)
		b := w.join(t, b2, Standby)
		time.Sleep(10 * time.Second)
		d, err := a.Snapshot(t.Context(), nil)
		if err != nil || d.Controller.ID != a1 || d.Controller.Epoch == 0 || d.ClusterID != "c" || d.Doubt != "" || d.Unread != "" || d.Only != nil {
			t.Errorf("of the active one: %+v, %v", d, err)
		}
		if _, err := b.Snapshot(t.Context(), nil); admin.KindOf(err) != admin.KindUnreachable || !strings.Contains(err.Error(), "not active; Baton 2000001") {
			t.Errorf("of the standby: %v", err)
		}
		w.setDown(true)
		begun := time.Now()
		d, err = a.Snapshot(t.Context(), []string{"x"})
		if err != nil || d.Doubt == "" || d.Unread == "" || len(d.Only) != 1 {
			t.Errorf("without ZooKeeper: %+v, %v", d, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("without ZooKeeper it took %v", took)
		}
		w.setDown(false)
	})
	inWorld(t, 1, func(t *testing.T, w *world) {
		a := w.join(t, a1, Standby)
		time.Sleep(10 * time.Second)
		if _, err := a.Snapshot(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "broker 1") {
			t.Errorf("while a broker holds: %v", err)
		}
	})
}
