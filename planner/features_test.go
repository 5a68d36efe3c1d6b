package planner

import "testing"

func TestFeaturesAreEnabledWithTheClaimAndWithANewProtocol(t *testing.T) {
	m := New()
	asked := func(ev Event) (versions []int32) {
		for _, w := range m.Step(0, ev).Writes {
			if b, ok := w.Body.(EnableFeatures); ok {
				versions = append(versions, b.Version)
			}
		}
		return versions
	}
	if got := asked(Claimed{ID: 9}); got != nil {
		t.Errorf("below 2.7-IV0: %v", got)
	}
	if got := asked(SettingsChanged{Settings{FeatureVersion: 1}}); len(got) != 1 || got[0] != 1 {
		t.Errorf("upgraded to 2.7: %v", got)
	}
	if got := asked(SettingsChanged{Settings{FeatureVersion: 1, Factor: 3}}); got != nil {
		t.Errorf("another setting: %v", got)
	}
	if got := asked(Claimed{ID: 9, Settings: Settings{FeatureVersion: 2}}); len(got) != 1 || got[0] != 2 {
		t.Errorf("claimed: %v", got)
	}
}
