package stories

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/e2e/batonproc"
	"baton/e2e/javaclient"
	"baton/e2e/kafka"
)

// SCRAM credentials and features are changed through Baton as through Kafka's own controller: the same answers, and in
// ZooKeeper the same content, which brokers read. A topic that is only validated has the same configs. Expired delegation tokens go while Baton leads.
func TestCredentialsFeaturesAndTokens(t *testing.T) {
	s := begin(t, kafka.Options{Brokers: 1, Overrides: map[string]string{"delegation.token.secret.key": "secret"}})
	s.must(s.cluster.CreateTopic(s.ctx, "there", 1, 1, "segment.bytes=1048576"))
	java := javaclient.New(t)
	broker := s.cluster.Broker(1).Addr()
	kafkas := s.credentials(java, broker, broker)
	b := s.baton(batonproc.Options{Sets: map[string]string{"delegation.token.expiry.check.interval.ms": "200"}})
	s.must(b.WaitReady(s.ctx))
	s.must(s.knownAsController(b))
	batons := s.credentials(java, b.Addr(), broker)
	for i := range max(len(kafkas), len(batons)) {
		if theirs, ours := nth(kafkas, i), nth(batons, i); ours != theirs {
			t.Errorf("under Kafka's controller %s\nunder Baton              %s", theirs, ours)
		}
	}
	s.tokenExpires()
	s.must(s.finish().CheckNeverServed(b.ID()))
}

func nth(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}

// credentials asks the controller of the moment, and a broker what has become of it. It leaves nothing behind.
func (s *story) credentials(c *javaclient.Client, controller, broker string) (said []string) {
	s.Helper()
	ask := func(addr, question string) {
		words := strings.Fields(question)
		out, err := c.Do(words[0], addr, words[1:]...)
		said = append(said, fmt.Sprintf("%s: %s %v", question, out, err))
	}
	for _, question := range []string{
		"setScram alice SCRAM-SHA-256 4096 pencil salt", "setScram alice SCRAM-SHA-512 8192 pencil pepper",
		"setScram bob SCRAM-SHA-256 4095 pencil salt", "setScram bob SCRAM-SHA-256 16385 pencil salt", "dropScram bob SCRAM-SHA-256",
		"scrams alice", "scrams bob", "scrams alice alice",
	} {
		ask(controller, question)
	}
	s.must(kafka.Eventually(s.ctx, "the broker to know alice", func(context.Context) (bool, error) {
		out, err := c.Do("scrams", broker, "alice")
		return err == nil && strings.Contains(out, "SCRAM_SHA_512"), err
	}))
	ask(broker, "scrams alice")
	said = append(said, s.data("/config/users/alice"))
	ask(controller, "dropScram alice SCRAM-SHA-256")
	said = append(said, s.data("/config/users/alice"))
	ask(controller, "dropScram alice SCRAM-SHA-512")
	said = append(said, s.data("/config/users/alice"))
	for _, question := range []string{
		"scrams alice", "dropScram alice SCRAM-SHA-512",
		"updateFeature metadata.version 3 UPGRADE", "updateFeature metadata.version 3 SAFE_DOWNGRADE", "updateFeature no.such.feature 0 UNSAFE_DOWNGRADE",
	} {
		ask(controller, question)
	}
	return append(append(said, s.data("/feature"), s.finalized(broker)), s.validated(controller)...)
}

// finalized is what a broker has read of /feature.
func (s *story) finalized(broker string) string {
	s.Helper()
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 3, "story", "1"
	resp, err := kafka.Ask(s.ctx, broker, req)
	s.must(err)
	answer, ok := resp.(*kmsg.ApiVersionsResponse)
	if !ok {
		s.Fatalf("%T", resp)
	}
	return fmt.Sprintf("finalized features %v at epoch %d", answer.FinalizedFeatures, answer.FinalizedFeaturesEpoch)
}

// validated are the configs that a topic would have, says the controller.
func (s *story) validated(controller string) (configs []string) {
	s.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.ValidateOnly, req.TimeoutMillis = 7, true, 10_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "would-be", 2, 1
	value := "60000"
	topic.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: &value}}
	req.Topics = append(req.Topics, topic)
	resp, err := kafka.Ask(s.ctx, controller, req)
	s.must(err)
	answer, ok := resp.(*kmsg.CreateTopicsResponse)
	if !ok || len(answer.Topics) != 1 || answer.Topics[0].ErrorCode != 0 {
		s.Fatalf("%+v", resp)
	}
	for _, c := range answer.Topics[0].Configs {
		text, err := json.Marshal(c)
		s.must(err)
		configs = append(configs, string(text))
	}
	slices.Sort(configs)
	return configs
}

// data is what a znode holds, JSON with its keys in order: Kafka's is that of Scala's hash map.
func (s *story) data(path string) string {
	s.Helper()
	data, _, err := s.cluster.Conn.Get(path)
	if err != nil {
		return fmt.Sprintf("%s: %v", path, err)
	}
	var object map[string]any
	if json.Unmarshal(data, &object) == nil {
		data, err = json.Marshal(object)
		s.must(err)
	}
	return fmt.Sprintf("%s: %s", path, data)
}

// tokenExpires: of two tokens the expired one goes, and brokers are told.
func (s *story) tokenExpires() {
	s.Helper()
	now := time.Now().UnixMilli()
	write := func(id string, until int64) {
		token := fmt.Sprintf(`{"version":3,"owner":"User:alice","tokenRequester":"User:alice","renewers":[],"issueTimestamp":%d,"maxTimestamp":%d,"expiryTimestamp":%d,"tokenId":%q}`,
			now-60_000, until, until, id)
		_, err := s.cluster.Conn.Create("/delegation_token/tokens/"+id, []byte(token), 0, zk.WorldACL(zk.PermAll))
		s.must(err)
	}
	write("good", now+600_000)
	write("expired", now-1)
	s.must(kafka.Eventually(s.ctx, "the expired token to go", func(context.Context) (bool, error) {
		there, _, err := s.cluster.Conn.Exists("/delegation_token/tokens/expired")
		return !there, err
	}))
	if there, _, err := s.cluster.Conn.Exists("/delegation_token/tokens/good"); err != nil || !there {
		s.Errorf("the good token is there: %t, %v", there, err)
	}
	changes, _, err := s.cluster.Conn.Children("/delegation_token/token_changes")
	s.must(err)
	for _, name := range changes {
		if strings.Contains(s.data("/delegation_token/token_changes/"+name), "expired") {
			return
		}
	}
	s.Errorf("brokers are not told: %v", changes)
}
