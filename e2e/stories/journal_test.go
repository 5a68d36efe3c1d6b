package stories

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
	"baton/journal/entry"
)

// A broker dies and its partitions get other leaders; then the Baton that elected them dies, and its disk. The standby
// leads and says why, on real brokers.
func TestWhyAfterTheHolderAndItsDiskAreGone(t *testing.T) {
	s := begin(t, kafka.Options{}, "orders")
	holder, other := s.pair(batonproc.Standby)
	s.must(s.cluster.Broker(1).Kill())
	var p string
	s.must(kafka.Eventually(s.ctx, "election in the holder's journal", func(ctx context.Context) (bool, error) {
		p = leftBy(s, holder, 1)
		return p != "", nil
	}))
	id, err := entry.ParseID(p)
	s.must(err)
	s.must(kafka.Eventually(s.ctx, "copy of it at the standby, with what brokers answered", func(ctx context.Context) (bool, error) {
		_, body, err := other.Get(ctx, fmt.Sprintf("/api/v1/history?local=true&tellings=true&topic=%s&partition=%d", id.Topic, id.Number))
		var a entry.Answer
		if err != nil || json.Unmarshal([]byte(body), &a) != nil {
			return false, err
		}
		l := entry.Why(id, time.Time{}, a.Entries).Leader
		return l != nil && len(l.Told) >= 4 && !slices.ContainsFunc(l.Told, func(t entry.Telling) bool { return t.Answered == nil }), nil
	}))
	s.must(holder.Kill())
	s.must(os.RemoveAll(holder.JournalDir()))
	s.leads(other)
	var x struct {
		Leader *entry.Step
		Gone   []string
	}
	text := s.cli(other, 0, "why", p, "-o", "json")
	s.must(json.Unmarshal([]byte(text), &x))
	l := x.Leader
	if l == nil || !strings.HasPrefix(l.Origin, fmt.Sprint(holder.ID())) || l.Strategy != "offline" || l.Detail != "broker 1 is gone" || l.From.Leader != 1 ||
		len(l.Considered) != 3 || len(l.Told) < 4 || len(x.Gone) != 1 {
		t.Errorf("%s", text)
	}
	t.Log(s.cli(other, 0, "why", p))
	s.must(s.cluster.Broker(1).Start())
	s.must(holder.Start())
	s.finish()
}

// leftBy names a partition that a broker led before it died, empty if there is none yet.
func leftBy(s *story, b *batonproc.Baton, broker int32) string {
	s.Helper()
	var a entry.Answer
	s.must(json.Unmarshal([]byte(s.cli(b, 0, "history", "--topic", "orders", "--limit", "500", "-o", "json")), &a))
	for _, e := range a.Entries {
		for _, d := range e.Decisions {
			if d.From.Leader == broker && d.To.Leader != broker {
				return d.Partition
			}
		}
	}
	return ""
}
