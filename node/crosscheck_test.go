package node

import (
	"testing"

	"baton/config"
	"baton/planner"
)

// Settings read again do not allow what the lowest protocol in the cluster does not have.
func TestReloadedSettingsAreBound(t *testing.T) {
	old, err := config.ParseIBP("2.7")
	if err != nil {
		t.Fatal(err)
	}
	s := planner.Settings{TopicIDs: true, LeaderRecovery: true, MinISR: 2}
	if got := (&crossCheck{lowest: old}).reloaded(s); got != (planner.Settings{MinISR: 2}) {
		t.Errorf("%+v", got)
	}
	if got := (&crossCheck{lowest: config.LatestIBP}).reloaded(s); got != s {
		t.Errorf("%+v", got)
	}
	if got := (*crossCheck)(nil).reloaded(s); got != s {
		t.Errorf("%+v", got)
	}
}
