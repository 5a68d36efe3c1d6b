package stories

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// A broker dies and its partitions get other leaders; then the Baton that elected them dies, and its disk. The standby
// leads and says why, on real brokers.
func TestWhyAfterTheHolderAndItsDiskAreGone(t *testing.T) {
	s := begin(t, kafka.Options{}, "orders")
	holder, other := s.pair(batonproc.Standby)
	s.must(s.cluster.Broker(1).Kill())
	for _, b := range []*batonproc.Baton{holder, other} { // the second one has only copied it
		s.must(kafka.Eventually(s.ctx, fmt.Sprintf("election in the journals of %d", b.ID()), func(ctx context.Context) (bool, error) {
			r, err := b.CLI(ctx, "history", "--topic", "orders", "--limit", "500")
			return strings.Contains(r.Stdout, "for broker 1 is gone"), err
		}))
	}
	p := leftBy(s, holder, 1)
	s.must(holder.Kill())
	s.must(os.RemoveAll(holder.JournalDir()))
	s.leads(other)
	var x struct {
		Leader struct {
			Origin, Strategy, Detail string
			From, To                 struct{ Leader int }
			Considered               []struct{ Verdict string }
			Told                     []struct{ Answered *string }
		}
		Gone []string
	}
	text := s.cli(other, 0, "why", p, "-o", "json")
	s.must(json.Unmarshal([]byte(text), &x))
	l := x.Leader
	if !strings.HasPrefix(l.Origin, fmt.Sprint(holder.ID())) || l.Strategy != "offline" || l.Detail != "broker 1 is gone" || l.From.Leader != 1 ||
		len(l.Considered) != 3 || len(l.Told) < 4 || l.Told[0].Answered == nil || len(x.Gone) != 1 {
		t.Errorf("%s", text)
	}
	t.Log(s.cli(other, 0, "why", p))
	s.must(s.cluster.Broker(1).Start())
	s.must(holder.Start())
	s.finish()
}

// leftBy names a partition that a broker led before it died.
func leftBy(s *story, b *batonproc.Baton, broker int32) string {
	s.Helper()
	var a struct {
		Entries []struct {
			Decisions []struct {
				Partition string
				From      struct{ Leader int32 }
				To        struct{ Leader int32 }
			}
		}
	}
	s.must(json.Unmarshal([]byte(s.cli(b, 0, "history", "--topic", "orders", "--limit", "500", "-o", "json")), &a))
	for _, e := range a.Entries {
		for _, d := range e.Decisions {
			if d.From.Leader == broker && d.To.Leader != broker {
				return d.Partition
			}
		}
	}
	s.Fatalf("broker %d led nothing: %+v", broker, a)
	return ""
}
