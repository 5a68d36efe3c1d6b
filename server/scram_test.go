package server_test

import (
	"context"
	"reflect"
	"testing"

	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAlterUserScramMapsTheRequest(t *testing.T) {
	r := newRig(t, 1, nil)
	r.ctl.Answer = func(_ context.Context, body planner.CallBody) (planner.ReplyBody, error) {
		want := planner.AlterScram{Deletions: []planner.ScramDeletion{{User: "a", Mechanism: 1}},
			Upsertions: []planner.ScramUpsertion{{User: "b", Mechanism: 2, Iterations: 5000, Salt: []byte("s"), Salted: []byte("p")}}}
		if !reflect.DeepEqual(body, want) {
			t.Errorf("call %+v", body)
		}
		return planner.AlterScramReply{Users: []planner.ScramUser{{User: "a", Err: kerr.ResourceNotFound, Message: "why"}, {User: "b"}}}, nil
	}
	req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	req.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "a", Mechanism: 1}}
	req.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{{Name: "b", Mechanism: 2, Iterations: 5000, Salt: []byte("s"), SaltedPassword: []byte("p")}}
	p := r.dial(t)
	got := ask[*kmsg.AlterUserSCRAMCredentialsResponse](p, req).Results
	if len(got) != 2 || got[0].User != "a" || got[0].ErrorCode != 91 || *got[0].ErrorMessage != "why" || got[1].ErrorCode != 0 || got[1].ErrorMessage != nil {
		t.Errorf("%+v", got)
	}
	r.ctl.SetActive(false)
	got = ask[*kmsg.AlterUserSCRAMCredentialsResponse](p, req).Results
	if len(got) != 2 || got[0].User != "a" || got[1].User != "b" || got[1].ErrorCode != kerr.NotController.Code {
		t.Errorf("standby: %+v", got)
	}
}
