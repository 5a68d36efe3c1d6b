package zkstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"baton/epoch"
)

func TestExpiredTokensAreRemovedAndTold(t *testing.T) {
	tr, st := newTree(t, Config{}, pathTokenChanges, pathTokens)
	fence := epoch.Fence{Epoch: 5, Version: 0}
	token := func(id string, most, expiry int64) {
		tr.put(childPath(pathTokens, id), fmt.Sprintf(`{"version":3,"owner":"User%%3Aa","renewers":[],"issueTimestamp":1,"maxTimestamp":%d,"expiryTimestamp":%d,"tokenId":%q}`, most, expiry, id))
	}
	token("good", 1000, 1000)
	token("expired", 2000, 999)
	token("too-old", 999, 2000)
	tr.put(childPath(pathTokens, "garbage"), "[]")
	n, err := st.s.ExpireTokens(context.Background(), fence, time.UnixMilli(1000))
	if n != 2 || err == nil {
		t.Errorf("removed %d: %v", n, err)
	}
	for id, want := range map[string]bool{"good": true, "expired": false, "too-old": false, "garbage": true} {
		if got := tr.nodes[childPath(pathTokens, id)] != nil; got != want {
			t.Errorf("%s: there %t", id, got)
		}
	}
	told := map[string]bool{}
	for path, n := range tr.nodes {
		if parentOf(path) == pathTokenChanges {
			told[string(n.data)] = true
		}
	}
	if len(told) != 2 || !told["expired"] || !told["too-old"] {
		t.Errorf("told %v", told)
	}
	tr.put(pathControllerEpoch, "6")
	if n, err := st.s.ExpireTokens(context.Background(), fence, time.UnixMilli(5000)); n != 0 || !errors.Is(err, epoch.ErrFenced) || tr.nodes[childPath(pathTokens, "good")] == nil {
		t.Errorf("fenced: removed %d, %v", n, err)
	}
}

func TestWithoutTokensThereIsNothingToExpire(t *testing.T) {
	_, st := newTree(t, Config{})
	if n, err := st.s.ExpireTokens(context.Background(), epoch.Fence{}, time.UnixMilli(1000)); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
