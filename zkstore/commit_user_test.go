package zkstore

import (
	"strings"
	"testing"

	"baton/planner"
)

const alicePath = pathConfig + "/users/alice"

// notified lists what brokers were told of, in no order.
func (t *tree) notified() (out []string) {
	for path, n := range t.nodes {
		if strings.HasPrefix(path, pathConfigChanges+"/") {
			out = append(out, string(n.data))
		}
	}
	return out
}

func alterAlice(remove []string, set map[string]string) planner.AlterUser {
	return planner.AlterUser{User: "alice", Remove: remove, Set: set}
}

func TestUsersConfigurationIsChangedAndTold(t *testing.T) {
	const told = `{"version":2,"entity_path":"users/alice"}`
	sha256, sha512 := []string{"SCRAM-SHA-256"}, map[string]string{"SCRAM-SHA-512": "new"}
	for name, tt := range map[string]struct {
		before, client string
		write          planner.AlterUser
		outcome        planner.Outcome
		after          string // "" : no znode
	}{
		"first":                  {"", "", alterAlice(nil, sha512), planner.Applied, `{"version":1,"config":{"SCRAM-SHA-512":"new"}}`},
		"other keys stay":        {`{"version":1,"config":{"x":"1","SCRAM-SHA-256":"a"}}`, "", alterAlice(sha256, sha512), planner.Applied, `{"version":1,"config":{"SCRAM-SHA-512":"new","x":"1"}}`},
		"replaced":               {`{"version":1,"config":{"SCRAM-SHA-512":"old"}}`, "", alterAlice(nil, sha512), planner.Applied, `{"version":1,"config":{"SCRAM-SHA-512":"new"}}`},
		"last":                   {`{"version":1,"config":{"SCRAM-SHA-256":"a"}}`, "", alterAlice(sha256, nil), planner.Applied, ""},
		"last, with clients":     {`{"version":1,"config":{"SCRAM-SHA-256":"a"}}`, "/clients", alterAlice(sha256, nil), planner.Applied, `{"version":1,"config":{}}`},
		"no such credential":     {`{"version":1,"config":{"x":"1"}}`, "", alterAlice(sha256, sha512), planner.Conflict, `{"version":1,"config":{"x":"1"}}`},
		"no such user":           {"", "", alterAlice(sha256, nil), planner.Conflict, ""},
		"garbage is not touched": {`{"version":1,"config":7}`, "", alterAlice(nil, sha512), planner.Failed, `{"version":1,"config":7}`},
		"too large":              {"", "", alterAlice(nil, map[string]string{"SCRAM-SHA-512": strings.Repeat("x", maxZnode)}), planner.Failed, ""},
	} {
		for _, fate := range []string{"", "before", "after"} {
			tr, st := newTree(t, Config{}, pathConfigChanges, pathConfig+"/users")
			if tt.before != "" {
				tr.put(alicePath, tt.before)
			}
			if tt.client != "" {
				tr.put(alicePath+tt.client, "")
			}
			tr.lose = func(n int) string {
				if n == 1 {
					return fate
				}
				return ""
			}
			got, err := commitAll(t, st, tt.write)
			if err != nil || got[0].Outcome != tt.outcome {
				t.Errorf("%s, reply lost %q: %+v, %v", name, fate, got[0], err)
			}
			after := ""
			if n := tr.nodes[alicePath]; n != nil {
				after = string(n.data)
			}
			if after != tt.after {
				t.Errorf("%s, reply lost %q: found %s, want %s", name, fate, after, tt.after)
			}
			if n := tr.notified(); (tt.outcome == planner.Applied) != (len(n) == 1 && n[0] == told) || len(n) > 1 {
				t.Errorf("%s, reply lost %q: told %q", name, fate, n)
			}
		}
	}
}

func TestUsersNameIsSanitizedAsKafkaDoes(t *testing.T) {
	for in, want := range map[string]string{"alice": "alice", "a b+c*d~e": "a%20b%2Bc%2Ad%7Ee", "CN=x,O=y": "CN%3Dx%2CO%3Dy", "<default>": "%3Cdefault%3E",
		"a-b_c.d": "a-b_c.d", "ü/": "%C3%BC%2F"} {
		if got := sanitized(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
