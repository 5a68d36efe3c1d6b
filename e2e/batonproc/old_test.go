package batonproc_test

import (
	"strings"
	"testing"

	"baton/e2e/batonproc"
)

func TestBuildOldNamesWhatIsNotThere(t *testing.T) {
	t.Setenv("BATON_OLD", "v0.0.0-never")
	_, _, err := batonproc.BuildOld(t.Context())
	if err == nil || !strings.Contains(err.Error(), `the old Baton "v0.0.0-never" (BATON_OLD) is not in the history of this clone`) {
		t.Errorf("%v", err)
	}
}
