package stories

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// Partitions that somebody adds to a topic's znode, as tools that write to ZooKeeper do,
// get leaders, and clients can write to them.
func TestPartitionsAddedInZooKeeper(t *testing.T) {
	s := begin(t, kafka.Options{}, "orders")
	b := s.baton(batonproc.Options{Mode: batonproc.Active})
	s.must(b.WaitActive(s.ctx))
	conn, _, err := zk.Connect(s.cluster.ZooKeeper.Addrs(), 5*time.Second, zk.WithLogInfo(false))
	s.must(err)
	t.Cleanup(conn.Close)
	const path = "/brokers/topics/orders"
	data, stat, err := conn.Get(path)
	s.must(err)
	var topic map[string]json.RawMessage
	s.must(json.Unmarshal(data, &topic))
	var partitions map[string][]int
	s.must(json.Unmarshal(topic["partitions"], &partitions))
	for n := 6; n < 9; n++ {
		partitions[fmt.Sprint(n)] = []int{n%3 + 1, (n+1)%3 + 1}
	}
	topic["partitions"], err = json.Marshal(partitions)
	s.must(err)
	data, err = json.Marshal(topic)
	s.must(err)
	_, err = conn.Set(path, data, stat.Version)
	s.must(err)
	s.must(s.cluster.WaitISRFull(s.ctx, "orders"))
	s.finish()
}

// A log directory of a broker fails under a leader: another replica takes over, and the
// directory's replicas come back with the broker.
func TestLogDirFailure(t *testing.T) {
	s := begin(t, kafka.Options{LogDirs: 2, Overrides: map[string]string{"replica.high.watermark.checkpoint.interval.ms": "500"}}, "orders")
	b := s.baton(batonproc.Options{Mode: batonproc.Active})
	s.must(b.WaitActive(s.ctx))
	s.must(b.WaitReady(s.ctx))
	const victim = 2
	dir := s.cluster.Broker(victim).DataDirs()[0]
	failed := s.replicasIn(dir)
	s.must(os.Rename(dir, dir+".gone")) // the next checkpoint of the high watermark finds no directory
	for _, n := range failed {
		s.must(s.cluster.Until(s.ctx, "the failed replica to leave the ISR", func(r *kafka.Reads) (string, error) {
			data, err := r.Get(fmt.Sprintf("/brokers/topics/orders/partitions/%s/state", n))
			if err != nil {
				return "", err
			}
			var p kafka.PartitionState
			if err := json.Unmarshal(data, &p); err != nil {
				return "", err
			}
			if p.Leader < 0 || p.Leader == victim || slices.Contains(p.ISR, victim) {
				return fmt.Sprintf("orders-%s is %s", n, data), nil
			}
			return "", nil
		}))
	}
	s.more(200)
	s.must(s.cluster.Broker(victim).Kill())
	s.must(s.cluster.Broker(victim).WaitGone(s.ctx)) // a broker does not start beside its own old registration
	s.must(os.Rename(dir+".gone", dir))
	s.must(s.cluster.Broker(victim).Restart(s.ctx))
	s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	s.finish()
}

// replicasIn returns the partitions of orders whose replica is in a log directory.
func (s *story) replicasIn(dir string) (numbers []string) {
	s.Helper()
	entries, err := os.ReadDir(dir)
	s.must(err)
	for _, e := range entries {
		if n, ok := strings.CutPrefix(e.Name(), "orders-"); ok && e.IsDir() {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) == 0 {
		s.Fatalf("no replica of orders in %s", dir)
	}
	return numbers
}
