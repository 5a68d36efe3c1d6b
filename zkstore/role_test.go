package zkstore

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/epoch"
)

var info = BatonInfo{Name: "a", Version: "test"}

func claimFrom(t *testing.T, s *Session, id int32) Claim {
	t.Helper()
	v, err := s.ReadRole(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return Claim{ID: id, Info: info, Replace: v.Controller, EpochValue: v.Epoch, EpochVersion: v.EpochVersion}
}

func claim(t *testing.T, s *Session, id int32) epoch.Fence {
	t.Helper()
	f, err := s.Claim(t.Context(), claimFrom(t, s, id))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestClaimRaceHasOneWinner(t *testing.T) {
	a, b := pair(t)
	for round := range 5 {
		ca, cb := claimFrom(t, a, 2000001), claimFrom(t, b, 2000002)
		var errs [2]error
		var fences [2]epoch.Fence
		var wg sync.WaitGroup
		wg.Go(func() { fences[0], errs[0] = a.Claim(t.Context(), ca) })
		wg.Go(func() { fences[1], errs[1] = b.Claim(t.Context(), cb) })
		wg.Wait()
		w := 0
		if errs[0] != nil {
			w = 1
		}
		if errs[w] != nil || !errors.Is(errs[1-w], ErrTaken) || fences[w].Epoch != epoch.Controller(round+1) {
			t.Fatalf("round %d: %v %v", round, fences, errs)
		}
	}
}

func TestTakeover(t *testing.T) {
	a, b := pair(t)
	old := claim(t, a, 1)
	v, err := b.ReadRole(t.Context())
	if err != nil || v.Controller == nil || v.Controller.BrokerID != 1 || v.Controller.Owner != a.ID() || v.Epoch != 1 || len(v.Bad) != 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	fence := claim(t, b, 2)
	if fence.Epoch != 2 || fence.Version != old.Version+1 {
		t.Errorf("fence %v after %v", fence, old)
	}
	if err := a.Store(old).VerifyFence(t.Context()); !errors.Is(err, epoch.ErrFenced) {
		t.Errorf("old claim: %v, want fenced", err)
	}
	if err := b.Store(fence).VerifyFence(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.Release(t.Context(), old); !errors.Is(err, ErrRoleLost) {
		t.Errorf("release by the loser: %v", err)
	}
	if err := b.Release(t.Context(), fence); err != nil {
		t.Error(err)
	}
	if v, _ := b.ReadRole(t.Context()); v.Controller != nil || v.Epoch != 2 {
		t.Errorf("after the release: %+v", v)
	}
}

func TestClaimWithLostReply(t *testing.T) {
	addr, chroot := testServer(t)
	p := newProxy(t, addr)
	s := open(t, Config{Servers: []string{p.addr()}, Chroot: chroot, SessionTimeout: 10 * time.Second})
	c := claimFrom(t, s, 2000001)
	p.loseReply(14)
	fence, err := s.Claim(t.Context(), c)
	if err != nil || fence.Epoch != 1 || fence.Version != 1 {
		t.Fatalf("%v, %v", fence, err)
	}
	within(t, "the loss of the reply", p.lost)
	if err := s.Store(fence).VerifyFence(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWatchRole(t *testing.T) {
	a, b := pair(t)
	views := make(chan RoleView, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.WatchRole(ctx, func(v RoleView) { views <- v }) }()
	until := func(what string, ok func(RoleView) bool) {
		t.Helper()
		for {
			v := within(t, what, views)
			if ok(v) {
				return
			}
		}
	}
	until("the first view", func(v RoleView) bool { return v.Controller == nil && v.EpochVersion == -1 })
	fence := claim(t, b, 5)
	until("b's claim", func(v RoleView) bool { return v.Controller != nil && v.Controller.BrokerID == 5 && v.Epoch == 1 })
	if err := b.Release(t.Context(), fence); err != nil {
		t.Fatal(err)
	}
	until("b's release", func(v RoleView) bool { return v.Controller == nil && v.Epoch == 1 && v.EpochVersion == 1 })
	if err := b.PutHold(t.Context(), Hold{Who: "me", Why: "test"}); err != nil {
		t.Fatal(err)
	}
	until("the hold", func(v RoleView) bool { return v.Hold != nil && v.Hold.Who == "me" })
	if err := b.remove(t.Context(), pathHold); err != nil {
		t.Fatal(err)
	}
	until("the end of the hold", func(v RoleView) bool { return v.Hold == nil })
	if err := b.Register(t.Context(), Member{ID: 9, BatonInfo: info, Mode: "standby", Host: "h", PID: 1}); err != nil {
		t.Fatal(err)
	}
	until("a member", func(v RoleView) bool { return len(v.Members) == 1 && v.Members[0].ID == 9 && v.Members[0].Name == "a" })
	write(t, b, pathMigration, `{"version":0,"kraft_controller_id":3000,"kraft_controller_epoch":1}`)
	write(t, b, pathController, `rubbish`)
	until("migration and rubbish", func(v RoleView) bool {
		return v.Migration != "" && v.Bad[pathController] != "" && v.Controller != nil
	})
	cancel()
	if err := within(t, "the end", done); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestHandover(t *testing.T) {
	a, b := pair(t)
	fence := claim(t, a, 1)
	if err := b.PutHandover(t.Context(), Handover{From: 1, To: 2}); err != nil {
		t.Fatal(err)
	}
	v, err := a.ReadRole(t.Context())
	if err != nil || v.Handover == nil || v.Handover.Consent != 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	h := *v.Handover
	h.Consent = int32(fence.Epoch)
	if err := a.PutHandoverConsent(t.Context(), epoch.Fence{Epoch: 1, Version: 77}, h); !errors.Is(err, epoch.ErrFenced) {
		t.Errorf("with a wrong fence: %v", err)
	}
	if err := a.PutHandoverConsent(t.Context(), fence, h); err != nil {
		t.Fatal(err)
	}
	c := claimFrom(t, b, 2)
	c.Handover = true
	if _, err := b.Claim(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if v, _ := b.ReadRole(t.Context()); v.Handover != nil || v.Controller.BrokerID != 2 {
		t.Errorf("%+v", v)
	}
}

func TestRegister(t *testing.T) {
	a, b := pair(t)
	m := Member{ID: 2000001, BatonInfo: BatonInfo{Name: "one", Version: "1"}, Mode: "active", Host: "h1", PID: 11}
	if err := a.Register(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := a.Register(t.Context(), m); err != nil {
		t.Errorf("again: %v", err)
	}
	other := m
	other.Name = "two"
	if err := b.Register(t.Context(), other); err == nil || !strings.Contains(err.Error(), `id 2000001 is in use by "one" on host h1`) {
		t.Errorf("somebody else's id: %v", err)
	}
	if err := b.Register(t.Context(), m); err != nil {
		t.Errorf("the same instance in a new session: %v", err)
	}
	n, err := b.get(t.Context(), pathBatonMembers+"/2000001")
	if err != nil || n.stat.EphemeralOwner != b.ID() {
		t.Errorf("%+v, %v", n, err)
	}
}

// What cannot be understood in Baton's own znodes is left as it is: a hold is in force
// whatever it says, a handover is not asked for over it.
func TestOwnZnodesAreNotOverwritten(t *testing.T) {
	a, b := pair(t)
	fence := claim(t, a, 1)
	write(t, a, pathHold, "{")
	write(t, a, pathHandover, "{")
	if err := b.PutHold(t.Context(), Hold{Who: "me"}); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"asking":   b.PutHandover(t.Context(), Handover{From: 1, To: 2}),
		"offering": a.OfferHandover(t.Context(), fence, Handover{From: 1, To: 2, Consent: 1}),
	} {
		if err == nil || !strings.Contains(err.Error(), "/baton/handover") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, path := range []string{pathHold, pathHandover} {
		if n, err := a.get(t.Context(), path); err != nil || string(n.data) != "{" {
			t.Errorf("%s is %q (%v)", path, n.data, err)
		}
	}
}
