package stories

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
	"baton/e2e/load"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topics are deleted by Kafka's own tool while others are written to: at once, after an absent broker's return, and
// across a hand-back and a takeover in the middle. The logs are gone from the brokers' disks.
func TestTopicDeletion(t *testing.T) {
	// Brokers keep what they have deleted for a minute by default.
	s := begin(t, kafka.Options{Overrides: map[string]string{"log.segment.delete.delay.ms": "200"}}, "busy")
	s.embedded()
	b := s.baton(batonproc.Options{Mode: batonproc.Active})
	s.leads(b)

	s.fill("doomed", 3)
	s.topicsTool(s.cluster, 0, "--delete", "--topic", "doomed")
	s.deleted(time.Minute, "doomed")
	s.topicsTool(s.cluster, 0, "--create", "--topic", "doomed", "--partitions", "2", "--replication-factor", "3")
	s.topicsTool(s.cluster, 0, "--alter", "--topic", "doomed", "--partitions", "5")
	contains(t, s.topicsTool(s.cluster, 0, "--describe", "--topic", "doomed"), "PartitionCount: 5")
	s.must(s.cluster.WaitISRFull(s.ctx, "doomed"))
	contains(t, s.topicsTool(s.cluster, 1, "--alter", "--topic", "doomed", "--partitions", "5"), "Topic already has 5 partitions.")

	// The answer comes before the znodes and logs are gone; a topic of that name can be made at once all the same.
	s.fill("again", 3)
	s.delete(b.Addr(), "again")
	s.must(s.cluster.CreateTopic(s.ctx, "again", 1, 3))
	s.must(s.cluster.WaitISRFull(s.ctx, "again"))

	s.fill("absent", 3)
	s.must(s.cluster.CreateTopicOn(s.ctx, "other", []int32{1, 2}, []int32{2, 1}))
	s.must(s.cluster.WaitISRFull(s.ctx, "other"))
	s.must(s.cluster.Broker(3).Kill())
	s.must(s.cluster.Broker(3).WaitGone(s.ctx))
	s.topicsTool(s.cluster, 0, "--delete", "--topic", "absent")
	s.metric(b, "kafka_controller_kafkacontroller_topicsineligibletodeletecount 1")
	s.metric(b, "kafka_controller_kafkacontroller_replicastodeletecount 3")
	contains(t, s.cli(b, 0, "status"), "absent: being deleted, 3 replicas left, waits: for brokers [3], which are not there")
	contains(t, s.topicsTool(s.cluster, 1, "--create", "--topic", "absent"), "Topic 'absent' is marked for deletion.")
	s.delete(b.Addr(), "other")
	s.deleted(20*time.Second, "other")
	s.is("absent", true)

	// Kafka's own controller goes on with it.
	s.cli(b, 0, "handback", "--yes", "--reason", "in the middle of a deletion")
	s.embedded()
	s.is("absent", true)
	s.must(s.cluster.Broker(3).Restart(s.ctx))
	s.deleted(time.Minute, "absent")

	// And Baton goes on with Kafka's.
	s.fill("second", 3)
	s.must(s.cluster.WaitISRFull(s.ctx, "busy"))
	s.must(s.cluster.Broker(2).Kill())
	s.must(s.cluster.Broker(2).WaitGone(s.ctx))
	s.delete(s.cluster.Broker(s.embedded()).Addr(), "second")
	s.is("second", true)
	s.cli(b, 0, "takeover", "--yes")
	s.leads(b)
	s.metric(b, "kafka_controller_kafkacontroller_topicstodeletecount 1")
	s.is("second", true)
	s.must(s.cluster.Broker(2).Restart(s.ctx))
	s.deleted(time.Minute, "second")
	s.metric(b, "kafka_controller_kafkacontroller_topicstodeletecount 0")
	s.must(s.cluster.WaitISRFull(s.ctx, "busy", "doomed"))
	s.finish()
}

// fill creates a topic with a replica on every broker and something in it.
func (s *story) fill(topic string, partitions int) {
	s.Helper()
	s.must(s.cluster.CreateTopic(s.ctx, topic, partitions, 3))
	p, err := load.Start(load.Options{Seeds: s.cluster.Seeds(), Targets: load.Partitions(topic, partitions)})
	s.must(err)
	s.must(p.WaitMore(s.ctx, 20))
	_, err = p.Stop(s.ctx)
	s.must(err)
	s.must(s.cluster.WaitISRFull(s.ctx, topic))
}

// is checks whether a topic is there now.
func (s *story) is(topic string, there bool) {
	s.Helper()
	now, _, err := s.cluster.Conn.Exists("/brokers/topics/" + topic)
	s.must(err)
	if now != there {
		s.Errorf("topic %s is there: %v, want %v", topic, now, there)
	}
}

// deleted waits until nothing of a topic is left: in ZooKeeper, in what the brokers say, and on their disks.
func (s *story) deleted(within time.Duration, topic string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, within)
	defer cancel()
	s.forgotten(ctx, topic)
	s.must(kafka.Eventually(ctx, "the logs of "+topic+" to be gone", func(context.Context) (bool, error) {
		for _, broker := range s.cluster.Brokers {
			for _, dir := range broker.DataDirs() {
				if left, err := filepath.Glob(filepath.Join(dir, topic+"-*")); err != nil || len(left) > 0 {
					return false, fmt.Errorf("%v (%w)", left, err)
				}
			}
		}
		return true, nil
	}))
	s.unknown(topic)
}

// forgotten waits until ZooKeeper has nothing of a topic.
func (s *story) forgotten(ctx context.Context, topic string) {
	s.Helper()
	s.must(s.cluster.Until(ctx, topic+" to be gone", func(r *kafka.Reads) (string, error) {
		for _, dir := range []string{"/brokers/topics", "/config/topics", "/admin/delete_topics"} {
			names, err := r.Children(dir)
			if err != nil || slices.Contains(names, topic) {
				return dir + "/" + topic + " is there", err
			}
		}
		return "", nil
	}))
}

// unknown checks that no live broker knows a topic.
func (s *story) unknown(topic string) {
	s.Helper()
	for _, broker := range s.cluster.Brokers {
		live, _, err := s.cluster.Conn.Exists(fmt.Sprintf("/brokers/ids/%d", broker.ID()))
		if s.must(err); !live {
			continue
		}
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
		resp, err := kafka.Ask(s.ctx, broker.Addr(), req)
		s.must(err)
		if code := resp.(*kmsg.MetadataResponse).Topics[0].ErrorCode; code != kerr.UnknownTopicOrPartition.Code {
			s.Errorf("broker %d says %d of topic %s", broker.ID(), code, topic)
		}
	}
}

// delete asks a controller to delete a topic.
func (s *story) delete(addr, topic string) {
	s.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis = 4, 20_000 // the newest that 2.4 knows
	req.TopicNames = []string{topic}
	resp, err := kafka.Ask(s.ctx, addr, req)
	s.must(err)
	if code := resp.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode; code != 0 {
		s.Fatalf("deleting %s at %s: %v", topic, addr, kerr.ErrorForCode(code))
	}
}
