package node

import (
	"testing"

	"baton/admin"
	"baton/config"
	"baton/epoch"
)

func ibp(t *testing.T, s string) config.IBP {
	t.Helper()
	v, err := config.ParseIBP(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheOldestBrokerDecides(t *testing.T) {
	own, old, older := ibp(t, "3.9"), ibp(t, "2.8"), ibp(t, "2.4")
	cc := newCrossCheck(nil)
	live := map[int32]epoch.Broker{1: 10, 2: 20}
	if !cc.begin(1, live) || cc.begin(1, live) {
		t.Error("each incarnation is asked once")
	}
	cc.failed(1)
	if !cc.begin(1, live) {
		t.Error("one that did not answer is asked again")
	}
	cc.learned(1, old)
	cc.begin(2, live)
	cc.learned(2, older)
	if got := cc.lowest(own); got != older {
		t.Errorf("lowest is %v", got)
	}
	next := newCrossCheck(cc) // the next claim
	if got := next.lowest(own); got != older || !next.begin(1, live) {
		t.Errorf("the next claim knows %v, and asks again", got)
	}
	live[2] = 21 // restarted with a newer protocol
	if !cc.begin(2, live) {
		t.Error("a new incarnation is asked again")
	}
	cc.learned(2, own)
	if got := cc.lowest(own); got != old {
		t.Errorf("after the upgrade of 2: %v", got)
	}
	delete(live, 1)
	cc.begin(2, live)
	if got := cc.lowest(own); got != own {
		t.Errorf("after the end of 1: %v", got)
	}
}

func TestAReloadKeepsWhatTheBrokersAllow(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a := w.join(t, a1, Standby)
		if !a.settings().TopicIDs {
			t.Fatal("the default protocol has topic ids")
		}
		a.check.learned(1, ibp(t, "2.4"))
		if _, _, err := a.Reload(t.Context(), admin.Request{}); err != nil {
			t.Fatal(err)
		}
		if s := a.settings(); s.TopicIDs || s.LeaderRecovery {
			t.Errorf("%+v", s)
		}
	})
}

func TestDifferencesAreNamedOnce(t *testing.T) {
	cc := newCrossCheck(nil)
	if !cc.news("a=1") || cc.news("a=1") || !cc.news("a=2") {
		t.Error("once for each difference")
	}
}
