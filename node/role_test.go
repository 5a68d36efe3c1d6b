package node

import (
	"testing"
	"time"

	"baton/zkstore"
)

// view varies one valid view: broker 1 holds at epoch 5, we and 2000002 are members.
func view(change func(*zkstore.RoleView)) zkstore.RoleView {
	v := zkstore.RoleView{
		Controller: &zkstore.Registration{BrokerID: 1, KRaftEpoch: -1, Owner: 77},
		Epoch:      5, EpochVersion: 5,
		Members: []zkstore.Member{{ID: 2_000_001}, {ID: 2_000_002}},
		Bad:     map[string]string{},
	}
	if change != nil {
		change(&v)
	}
	return v
}

func baton(id int32, session int64, name string) *zkstore.Registration {
	return &zkstore.Registration{BrokerID: id, KRaftEpoch: -1, Owner: session, Baton: &zkstore.BatonInfo{Name: name}}
}

func TestNext(t *testing.T) {
	us := stance{id: 2_000_001, instance: "a", session: 11}
	active, forced := us, us
	active.mode, forced.mode, forced.force = Active, Standby, true
	us.mode = Standby
	holding := active
	holding.holding, holding.version = true, 6
	over := holding
	over.cleared = &zkstore.Hold{Who: "x"}
	ours := func(v *zkstore.RoleView) { v.Controller, v.Epoch, v.EpochVersion = baton(2_000_001, 11, "a"), 6, 6 }
	for name, c := range map[string]struct {
		stance stance
		change func(*zkstore.RoleView)
		want   step
	}{
		"a standby leaves a broker alone":             {us, nil, wait},
		"an active one takes over from a broker":      {active, nil, claim},
		"a standby that was asked to takes over":      {forced, nil, claim},
		"a standby claims when nobody holds":          {us, func(v *zkstore.RoleView) { v.Controller = nil }, claim},
		"another Baton is left alone":                 {active, func(v *zkstore.RoleView) { v.Controller = baton(2_000_002, 12, "b") }, wait},
		"our own earlier session is replaced":         {us, func(v *zkstore.RoleView) { v.Controller = baton(2_000_001, 9, "a") }, claim},
		"another process with our id is not replaced": {active, func(v *zkstore.RoleView) { v.Controller = baton(2_000_001, 9, "b") }, wait},
		"a hold stops even an active one":             {active, func(v *zkstore.RoleView) { v.Hold = &zkstore.Hold{When: time.Now()} }, wait},
		"a takeover goes over the hold":               {forced, func(v *zkstore.RoleView) { v.Hold = &zkstore.Hold{Who: "x"} }, claim},
		"a holder still sees the hold it cleared":     {over, func(v *zkstore.RoleView) { ours(v); v.Hold = &zkstore.Hold{Who: "x"} }, keep},
		"a holder obeys another hold":                 {over, func(v *zkstore.RoleView) { ours(v); v.Hold = &zkstore.Hold{Who: "y"} }, release},
		"a hold stops when nobody holds":              {us, func(v *zkstore.RoleView) { v.Controller, v.Hold = nil, &zkstore.Hold{} }, wait},
		"an unreadable epoch refuses":                 {active, func(v *zkstore.RoleView) { v.Bad["/controller_epoch"] = "x" }, refuse},
		"scribbled on, it is still ours": {holding, func(v *zkstore.RoleView) {
			v.Epoch, v.EpochVersion, v.Bad["/controller"] = 6, 6, "x"
			v.Controller = &zkstore.Registration{BrokerID: -1, KRaftEpoch: -1, Owner: 11}
		}, keep},
		"scribbled on, another's is not ours": {holding, func(v *zkstore.RoleView) {
			v.Epoch, v.EpochVersion, v.Bad["/controller"] = 6, 6, "x"
			v.Controller = &zkstore.Registration{BrokerID: -1, KRaftEpoch: -1, Owner: 12}
		}, resign},
		"a KRaft controller refuses":  {active, func(v *zkstore.RoleView) { v.Controller.KRaftEpoch = 3 }, refuse},
		"an active migration refuses": {us, func(v *zkstore.RoleView) { v.Controller, v.Migration = nil, "x" }, refuse},
		"a handover to us is taken": {us, func(v *zkstore.RoleView) {
			v.Controller, v.Handover = baton(2_000_002, 12, "b"), &zkstore.Handover{From: 2_000_002, To: 2_000_001, Consent: 5}
		}, claim},
		"a handover without consent is not": {us, func(v *zkstore.RoleView) {
			v.Controller, v.Handover = baton(2_000_002, 12, "b"), &zkstore.Handover{From: 2_000_002, To: 2_000_001}
		}, wait},
		"a consent of an older epoch is not": {us, func(v *zkstore.RoleView) {
			v.Controller, v.Handover = baton(2_000_002, 12, "b"), &zkstore.Handover{From: 2_000_002, To: 2_000_001, Consent: 4}
		}, wait},
		"a handover to another is not raced": {us, func(v *zkstore.RoleView) {
			v.Controller, v.Handover = nil, &zkstore.Handover{From: 2_000_003, To: 2_000_002, Consent: 5}
		}, wait},
		"a handover to a dead one is raced": {us, func(v *zkstore.RoleView) {
			v.Controller, v.Handover, v.Members = nil, &zkstore.Handover{From: 2_000_003, To: 2_000_002, Consent: 5}, nil
		}, claim},
		"a znode of our own session without a term is claimed over": {active, ours, claim},
		"nor does it stay when claiming would be unsafe":            {active, func(v *zkstore.RoleView) { ours(v); v.Migration = "x" }, release},
		"nor does it stay under a hold":                             {active, func(v *zkstore.RoleView) { ours(v); v.Hold = &zkstore.Hold{} }, release},
		"the holder obeys a hold":                                   {holding, func(v *zkstore.RoleView) { ours(v); v.Hold = &zkstore.Hold{} }, release},
		"the holder does not give up for a hold it cannot read": {holding, func(v *zkstore.RoleView) {
			ours(v)
			v.Hold, v.Bad["/baton/hold"] = &zkstore.Hold{}, "x"
		}, keep},
		"the holder keeps": {holding, ours, keep},
		"the holder ignores a view older than its own": {holding, nil, keep},
		"the holder resigns when the znode is gone":    {holding, func(v *zkstore.RoleView) { ours(v); v.Controller = nil }, resign},
		"the holder resigns when somebody else holds":  {holding, func(v *zkstore.RoleView) { ours(v); v.Controller = baton(2_000_002, 12, "b") }, resign},
		"the holder resigns when the epoch moved":      {holding, func(v *zkstore.RoleView) { ours(v); v.Epoch, v.EpochVersion = 7, 7 }, resign},
		"the holder consents to a member":              {holding, func(v *zkstore.RoleView) { ours(v); v.Handover = &zkstore.Handover{From: 2_000_001, To: 2_000_002} }, consent},
		"the holder takes its consent to a dead one back": {holding, func(v *zkstore.RoleView) {
			ours(v)
			v.Handover = &zkstore.Handover{From: 2_000_001, To: 2_000_009, Consent: 6}
		}, withdraw},
		"the holder waits for the one it lets take over": {holding, func(v *zkstore.RoleView) {
			ours(v)
			v.Handover = &zkstore.Handover{From: 2_000_001, To: 2_000_002, Consent: 6}
		}, keep},
		"the holder ignores a stranger's wish": {holding, func(v *zkstore.RoleView) { ours(v); v.Handover = &zkstore.Handover{From: 2_000_001, To: 2_000_009} }, keep},
	} {
		t.Run(name, func(t *testing.T) {
			if got, why := next(view(c.change), c.stance); got != c.want {
				t.Errorf("got step %d (%s), want %d", got, why, c.want)
			}
		})
	}
}

type (
	openTerm   bool
	validLease bool
)

func (o openTerm) Open() bool         { return bool(o) }
func (v validLease) LeaseValid() bool { return bool(v) }

// A term that has heard of nothing yet is not enough: only the lease knows that the
// process was stopped for too long.
func TestTheGateNeedsTermAndLease(t *testing.T) {
	for _, open := range []bool{false, true} {
		for _, valid := range []bool{false, true} {
			if got := gate(openTerm(open), validLease(valid))(); got != (open && valid) {
				t.Errorf("term open %v, lease valid %v: gate %v", open, valid, got)
			}
		}
	}
}
