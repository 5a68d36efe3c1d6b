package sequence

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	answered = 15 * time.Second // time-out of what is answered at once
	waited   = time.Second      // and of what is not
)

// request is an operation that is asked of the controller, or of a broker, in the newest version of Kafka 3.9; nil for one that is
// done to a process. topicID says which id a topic has in the cluster.
func request(o Op, topicID func(name string) ([16]byte, error)) (kmsg.Request, error) {
	timeout := int32(answered.Milliseconds())
	if o.Waits {
		timeout = int32(waited.Milliseconds())
	}
	switch o.Kind {
	case Create:
		return createRequest(o, timeout), nil
	case AddPartitions:
		return addRequest(o, timeout), nil
	case Delete:
		return deleteRequest(o, timeout, topicID)
	case Reassign, ReassignAndKill, Cancel:
		return reassignRequest(o, timeout), nil
	case ElectPreferred, ElectUnclean:
		return electRequest(o, timeout), nil
	case TopicConfig:
		return configRequest(o, kmsg.ConfigResourceTypeTopic, o.Topic), nil
	case DefaultConfig:
		return configRequest(o, kmsg.ConfigResourceTypeBroker, ""), nil
	case BrokerConfig:
		return configRequest(o, kmsg.ConfigResourceTypeBroker, fmt.Sprint(o.Broker)), nil
	case Kill, ShutDown, Boot, Restart:
	}
	return nil, nil
}

func createRequest(o Op, timeout int32) kmsg.Request {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, timeout
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = o.Topic, -1, -1
	for i, replicas := range o.Assignment {
		t.ReplicaAssignment = append(t.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: int32(i), Replicas: replicas})
	}
	for _, s := range o.Settings {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: s.Name, Value: s.Value})
	}
	req.Topics = append(req.Topics, t)
	return req
}

func addRequest(o Op, timeout int32) kmsg.Request {
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Version, req.TimeoutMillis = 3, timeout
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = o.Topic, o.Count
	for _, replicas := range o.Assignment {
		t.Assignment = append(t.Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: replicas})
	}
	req.Topics = append(req.Topics, t)
	return req
}

func deleteRequest(o Op, timeout int32, topicID func(string) ([16]byte, error)) (kmsg.Request, error) {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis = 6, timeout
	t := kmsg.NewDeleteTopicsRequestTopic()
	switch {
	case !o.ByID:
		t.Topic = &o.Topic
	case o.Invalid != "":
		t.TopicID = [16]byte{1, 2, 3}
	default:
		id, err := topicID(o.Topic)
		if err != nil {
			return nil, err
		}
		t.TopicID = id
	}
	req.Topics = append(req.Topics, t)
	return req, nil
}

func reassignRequest(o Op, timeout int32) kmsg.Request {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis = timeout
	for _, m := range o.Moves {
		i := slices.IndexFunc(req.Topics, func(t kmsg.AlterPartitionAssignmentsRequestTopic) bool { return t.Topic == m.Topic })
		if i < 0 {
			i = len(req.Topics)
			t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
			t.Topic = m.Topic
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		p.Partition, p.Replicas = m.Partition, m.To
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	return req
}

func electRequest(o Op, timeout int32) kmsg.Request {
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version, req.TimeoutMillis = 2, timeout
	if o.Kind == ElectUnclean {
		req.ElectionType = 1
	}
	for _, id := range o.Partitions {
		i := slices.IndexFunc(req.Topics, func(t kmsg.ElectLeadersRequestTopic) bool { return t.Topic == id.Topic })
		if i < 0 {
			i = len(req.Topics)
			req.Topics = append(req.Topics, kmsg.ElectLeadersRequestTopic{Topic: id.Topic})
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, id.Partition)
	}
	return req
}

func configRequest(o Op, kind kmsg.ConfigResourceType, name string) kmsg.Request {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kind, name
	for _, s := range o.Settings {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Value = s.Name, s.Value
		if s.Value == nil {
			c.Op = kmsg.IncrementalAlterConfigOpDelete
		}
		r.Configs = append(r.Configs, c)
	}
	req.Resources = append(req.Resources, r)
	return req
}

var (
	topicIDs   = regexp.MustCompile(`"TopicID":\[[0-9,]*\]`)
	throttles  = regexp.MustCompile(`"ThrottleMillis":\d+`)
	configList = regexp.MustCompile(`"Configs":\[.*?\],"UnknownTags"`)
	scalaSets  = regexp.MustCompile(`(Set|HashSet|ArrayBuffer|Buffer|List|Vector)\([^)]*\)`)
)

// answer is a response in words: without topic ids and throttles, with the elements of answers and of Scala's sets in order.
func answer(resp kmsg.Response) (string, error) {
	if e, ok := resp.(*kmsg.ElectLeadersResponse); ok {
		slices.SortFunc(e.Topics, func(a, b kmsg.ElectLeadersResponseTopic) int { return strings.Compare(a.Topic, b.Topic) })
		for _, t := range e.Topics {
			slices.SortFunc(t.Partitions, func(a, b kmsg.ElectLeadersResponseTopicPartition) int { return int(a.Partition - b.Partition) })
		}
	}
	if a, ok := resp.(*kmsg.AlterPartitionAssignmentsResponse); ok {
		slices.SortFunc(a.Topics, func(a, b kmsg.AlterPartitionAssignmentsResponseTopic) int { return strings.Compare(a.Topic, b.Topic) })
		for _, t := range a.Topics {
			slices.SortFunc(t.Partitions, func(a, b kmsg.AlterPartitionAssignmentsResponseTopicPartition) int {
				return int(a.Partition - b.Partition)
			})
		}
	}
	text, err := json.Marshal(resp)
	if err != nil {
		return "", err
	}
	out := topicIDs.ReplaceAllString(string(text), `"TopicID":"…"`)
	out = throttles.ReplaceAllString(out, `"ThrottleMillis":0`)
	return scalaSets.ReplaceAllStringFunc(out, func(m string) string {
		kind, list, _ := strings.Cut(strings.TrimSuffix(m, ")"), "(")
		ids := strings.Split(list, ", ")
		slices.Sort(ids)
		return kind + "(" + strings.Join(ids, ", ") + ")"
	}), nil
}

// noConfigs is how the answer for a created topic ends that does not say which configurations hold.
const noConfigs = `"Configs":[],"UnknownTags"`

// uncleanDefault is what goes for a topic that says nothing itself: the cluster's dynamic default (3) or the static one (5). A change
// of it counts for each process from when it has read it, a moment later.
var uncleanDefault = regexp.MustCompile(`"unclean\.leader\.election\.enable","Value":"\w+","ReadOnly":false,"Source":[35]`)

// sameAnswer compares two answers. Baton has to ask a broker which configurations hold for a created topic, and does not wait long:
// on a machine that is too busy it answers without.
func sameAnswer(kafka, baton string) bool {
	if strings.Contains(baton, noConfigs) {
		kafka = configList.ReplaceAllLiteralString(kafka, noConfigs)
	}
	return uncleanDefault.ReplaceAllLiteralString(kafka, "") == uncleanDefault.ReplaceAllLiteralString(baton, "")
}
