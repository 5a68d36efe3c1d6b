package zkstore

import (
	"context"
	"errors"
	"testing"

	"baton/epoch"
)

// A claim made from a view that is older than the hold is refused.
func TestClaimAgainstUnseenHold(t *testing.T) {
	a, b := pair(t)
	fence := claim(t, a, 1)
	c := claimFrom(t, b, 2)
	c.Replace = nil
	if err := a.PutHold(t.Context(), Hold{Who: "me", Why: "test"}); err != nil {
		t.Fatal(err)
	}
	if err := a.Release(t.Context(), fence); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Claim(t.Context(), c); !errors.Is(err, ErrTaken) {
		t.Errorf("claimed in spite of a hold: %v", err)
	}
	if v, err := b.ReadRole(t.Context()); err != nil || v.Controller != nil || v.Hold == nil || v.Hold.Who != "me" || v.Epoch != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	if err := b.remove(t.Context(), pathHold); err != nil {
		t.Fatal(err)
	}
	if f := claim(t, b, 2); f.Epoch != 2 {
		t.Errorf("%v", f)
	}
	if v, err := b.ReadRole(t.Context()); err != nil || v.Hold != nil {
		t.Errorf("the claim left a hold: %+v, %v", v, err)
	}
}

// A takeover clears the hold with the claim itself, so that nobody gets in between.
func TestClaimClearsTheHold(t *testing.T) {
	a, b := pair(t)
	if err := a.PutHold(t.Context(), Hold{Who: "me", Why: "test"}); err != nil {
		t.Fatal(err)
	}
	c := claimFrom(t, b, 2)
	c.ClearHold = true
	if _, err := b.Claim(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	v, err := b.ReadRole(t.Context())
	if err != nil || v.Hold != nil || v.Controller == nil || v.Controller.BrokerID != 2 {
		t.Errorf("%+v, %v", v, err)
	}
	c = claimFrom(t, a, 1)
	c.ClearHold = true
	if _, err := a.Claim(t.Context(), c); !errors.Is(err, ErrTaken) {
		t.Errorf("the hold that the claim was to clear is gone: %v", err)
	}
}

// No view shows the role as free without showing the hold that was written before it was given up.
func TestWatchRoleSeesHoldBeforeRelease(t *testing.T) {
	a, b := pair(t)
	views := make(chan RoleView, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.WatchRole(ctx, func(v RoleView) { views <- v }) }()
	for range 20 {
		if err := b.remove(t.Context(), pathHold); err != nil {
			t.Fatal(err)
		}
		fence := claim(t, b, 5)
		for v := within(t, "b's claim", views); v.Controller == nil || v.Epoch != int32(fence.Epoch) || v.Hold != nil; {
			v = within(t, "b's claim", views)
		}
		if err := b.PutHold(t.Context(), Hold{Who: "me", Why: "test"}); err != nil {
			t.Fatal(err)
		}
		if err := b.Release(t.Context(), fence); err != nil {
			t.Fatal(err)
		}
		for {
			v := within(t, "the release", views)
			if v.Controller == nil && v.Hold == nil {
				t.Fatal("free, and no hold")
			}
			if v.Controller == nil {
				break
			}
		}
	}
	cancel()
	if err := within(t, "the end", done); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestOfferHandover(t *testing.T) {
	a, b := pair(t)
	fence := claim(t, a, 1)
	h := Handover{From: 1, To: 2, Consent: int32(fence.Epoch)}
	if err := a.OfferHandover(t.Context(), epoch.Fence{Epoch: 1, Version: 77}, h); !errors.Is(err, epoch.ErrFenced) {
		t.Errorf("with a wrong fence: %v", err)
	}
	for _, before := range []*Handover{nil, {From: 1, To: 3}, {From: 1, To: 3, Consent: 1}} {
		if before != nil {
			if err := b.PutHandover(t.Context(), *before); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.OfferHandover(t.Context(), fence, h); err != nil {
			t.Fatal(err)
		}
		if v, err := b.ReadRole(t.Context()); err != nil || v.Handover == nil || v.Handover.To != 2 || v.Handover.Consent != 1 {
			t.Errorf("%+v, %v", v, err)
		}
	}
}
