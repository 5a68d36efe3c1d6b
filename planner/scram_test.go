package planner

import (
	"encoding/base64"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestScramRefusalsAreKafkas(t *testing.T) {
	b := AlterScram{
		Deletions: []ScramDeletion{{"", 1}, {"strange", 9}, {"twice", 1}, {"gone", 2}, {"both", 1}},
		Upsertions: []ScramUpsertion{
			{User: "few", Mechanism: 1, Iterations: 4095}, {User: "many", Mechanism: 2, Iterations: 16385},
			{User: "least", Mechanism: 1, Iterations: 4096}, {User: "most", Mechanism: 2, Iterations: 16384},
			{User: "twice", Mechanism: 1, Iterations: 4096}, {User: "both", Mechanism: 2, Iterations: 4096},
			{User: "strange", Mechanism: 1, Iterations: 1}, {User: "zero", Mechanism: 0, Iterations: 4096},
		},
	}
	want := map[string]*refusal{
		"":        {kerr.UnacceptableCredential, "Username must not be empty"},
		"strange": {kerr.UnacceptableCredential, "Too few iterations"}, // an upsertion's reason goes before
		"zero":    {kerr.UnsupportedSaslMechanism, "Unknown SCRAM mechanism"},
		"few":     {kerr.UnacceptableCredential, "Too few iterations"},
		"many":    {kerr.UnacceptableCredential, "Too many iterations"},
		"twice":   {kerr.DuplicateResource, "A user credential cannot be altered twice in the same request"},
	}
	if got := b.refusals(); !reflect.DeepEqual(got, want) {
		for user, r := range got {
			t.Errorf("%q: %+v", user, *r)
		}
	}
	if got := b.writes()["both"]; !reflect.DeepEqual(got.Remove, []string{"SCRAM-SHA-256"}) || len(got.Set) != 1 || got.Set["SCRAM-SHA-512"] == "" {
		t.Errorf("both: %+v", got)
	}
	if got := b.Users(); !reflect.DeepEqual(got, []string{"", "strange", "twice", "gone", "both", "few", "many", "least", "most", "zero"}) {
		t.Errorf("users %q", got)
	}
}

// The example of RFC 7677: user "user", password "pencil"; its server signature follows from
// this server key.
func TestScramCredentialIsTheStandards(t *testing.T) {
	bytes := func(text string) []byte {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	u := ScramUpsertion{User: "user", Mechanism: 1, Iterations: 4096, Salt: bytes("W22ZaJ0SNY7soEsUEjb6gQ=="),
		Salted: bytes("xKSVEDI6tPlSysH6mUQZOeeOp01r6B3fcJbodRPcYV0=")}
	want := "salt=W22ZaJ0SNY7soEsUEjb6gQ==,stored_key=WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," +
		"server_key=wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=,iterations=4096"
	if got := credential(scramMechanisms[1].hash, u); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestScramUsersAreAnsweredTogether(t *testing.T) {
	call := Call{Token: 7, Body: AlterScram{
		Deletions:  []ScramDeletion{{"gone", 1}, {"", 1}, {"broken", 1}},
		Upsertions: []ScramUpsertion{{User: "fine", Mechanism: 2, Iterations: 4096}},
	}}
	begin := func() (*Machine, []Write) {
		m := New()
		m.Step(0, Claimed{ID: 9})
		p := m.Step(1, call)
		if len(p.Writes) != 3 || len(p.Replies) != 0 {
			t.Fatalf("%+v", p)
		}
		return m, p.Writes
	}
	m, writes := begin()
	outcomes := map[string]Outcome{"gone": Conflict, "broken": Failed, "fine": Applied}
	var plan Plan
	for _, w := range writes {
		if plan = m.Step(2, Committed{Results: []Result{{Seq: w.Seq, Outcome: outcomes[w.Body.(AlterUser).User], Reason: "why"}}}); w.Seq != writes[2].Seq && len(plan.Replies) > 0 {
			t.Error("answered too early")
		}
	}
	want := []Reply{{Token: 7, Body: AlterScramReply{Users: []ScramUser{
		{"gone", kerr.ResourceNotFound, "Attempt to delete a user credential that does not exist"},
		{"", kerr.UnacceptableCredential, "Username must not be empty"}, {"broken", kerr.UnknownServerError, ""}, {User: "fine"}}}}}
	if !reflect.DeepEqual(plan.Replies, want) {
		t.Errorf("%+v", plan.Replies)
	}
	m, _ = begin()
	plan = m.Step(2, RoleLost{})
	if re, ok := plan.Replies[0].Body.(AlterScramReply); !ok || len(re.Users) != 4 || re.Users[3].Err != kerr.NotController {
		t.Errorf("%+v", plan.Replies)
	}
}
