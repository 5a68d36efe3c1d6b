package zkstore

import (
	"testing"

	"baton/planner"
)

func TestFeaturesAreEnabledAndNeverFilled(t *testing.T) {
	const v1, v2 = `{"version":1,"status":1,"features":{}}`, `{"version":2,"status":1,"features":{}}`
	for name, tt := range map[string]struct {
		before  string
		version int32
		outcome planner.Outcome
		after   string
	}{
		"absent":           {"", 1, planner.Applied, v1},
		"absent, 3.3":      {"", 2, planner.Applied, v2},
		"there":            {`{"features":{},"version":2,"status":1}`, 2, planner.Applied, `{"features":{},"version":2,"status":1}`},
		"upgraded":         {v1, 2, planner.Applied, v2},
		"not downgraded":   {v2, 1, planner.Applied, v2},
		"disabled":         {`{"version":2,"status":0,"features":{}}`, 1, planner.Applied, v1},
		"some are final":   {`{"version":1,"status":1,"features":{"f":{}}}`, 2, planner.Failed, `{"version":1,"status":1,"features":{"f":{}}}`},
		"garbage":          {"[]", 2, planner.Failed, "[]"},
		"of the future":    {`{"version":3,"status":1}`, 2, planner.Failed, `{"version":3,"status":1}`},
		"no status":        {`{"version":1}`, 1, planner.Failed, `{"version":1}`},
		"an unheard state": {`{"version":1,"status":2}`, 1, planner.Failed, `{"version":1,"status":2}`},
	} {
		for _, fate := range []string{"", "before", "after"} {
			tr, st := newTree(t, Config{})
			if tt.before != "" {
				tr.put(pathFeature, tt.before)
			}
			tr.lose = func(n int) string {
				if n == 1 {
					return fate
				}
				return ""
			}
			got, err := commitAll(t, st, planner.EnableFeatures{Version: tt.version})
			if err != nil || got[0].Outcome != tt.outcome || (tt.outcome == planner.Failed) != (len(got[0].Bad) == 1) {
				t.Errorf("%s, reply lost %q: %+v, %v", name, fate, got[0], err)
			}
			if after := string(tr.nodes[pathFeature].data); after != tt.after {
				t.Errorf("%s, reply lost %q: found %s, want %s", name, fate, after, tt.after)
			}
		}
	}
}
