package sequence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

const changes = "/config/changes"

// Observe reads all of the cluster: its znodes, and from every live broker what it knows and what it has on its disks.
func (s *Site) Observe(ctx context.Context) (Snapshot, error) { return s.snapshot(ctx, true) }

func (s *Site) snapshot(ctx context.Context, all bool) (Snapshot, error) {
	out := Snapshot{Znodes: map[string]Znode{}, Views: map[int32]View{}}
	if err := s.readTree("", out.Znodes); err != nil {
		return out, err
	}
	c, err := s.Cluster.WaitController(ctx, nil)
	if err != nil {
		return out, err
	}
	if err := s.sameController(c.BrokerID); err != nil {
		return out, err
	}
	out.Holder = int32(c.BrokerID)
	for _, name := range out.children("/brokers/ids") {
		id, err := strconv.Atoi(name)
		if err != nil {
			return out, err
		}
		v, err := s.view(ctx, id, all)
		if err != nil {
			return out, fmt.Errorf("broker %d: %w", id, err)
		}
		out.Views[int32(id)] = v
	}
	return out, nil
}

func (s *Site) childrenOf(path string) ([]string, error) {
	names, _, err := s.Cluster.Conn.Children(s.Cluster.Chroot() + path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil // it has gone meanwhile
	}
	slices.Sort(names)
	return names, err
}

func (s *Site) readTree(path string, into map[string]Znode) error {
	list := path
	if path == "" && s.Cluster.Chroot() == "" {
		list = "/"
	}
	names, err := s.childrenOf(list)
	if err != nil {
		return err
	}
	if path == changes {
		return s.readChanges(names, into)
	}
	for _, name := range names {
		child := path + "/" + name
		if _, ok := Ignored[child]; ok {
			continue
		}
		if err := s.readZnode(child, child, into); err != nil {
			return err
		}
		if err := s.readTree(child, into); err != nil {
			return err
		}
	}
	return nil
}

func (s *Site) readZnode(path, as string, into map[string]Znode) error {
	data, stat, err := s.Cluster.Conn.Get(s.Cluster.Chroot() + path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err == nil {
		into[as] = Znode{string(data), stat.EphemeralOwner != 0}
	}
	return err
}

// readChanges numbers the change notifications of these operations.
func (s *Site) readChanges(names []string, into map[string]Znode) error {
	n := 0
	for _, name := range names {
		if name <= s.before {
			continue
		}
		n++
		if err := s.readZnode(changes+"/"+name, fmt.Sprintf("%s/%d", changes, n), into); err != nil {
			return err
		}
	}
	return nil
}

func (s *Site) view(ctx context.Context, id int, all bool) (View, error) {
	v := View{Topics: map[string]TopicView{}}
	addr := s.Cluster.Broker(id).Addr()
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	m, err := ask[*kmsg.MetadataResponse](ctx, addr, req)
	if err != nil {
		return v, err
	}
	v.Controller = m.ControllerID
	for _, b := range m.Brokers {
		if b.NodeID >= batonproc.FirstID { // Baton is in the list: only there clients find the controller
			continue
		}
		rack := ""
		if b.Rack != nil {
			rack = *b.Rack
		}
		v.Brokers = append(v.Brokers, fmt.Sprintf("%d %s", b.NodeID, rack))
	}
	slices.Sort(v.Brokers)
	for _, t := range m.Topics {
		v.Topics[*t.Topic] = topicView(t)
	}
	if !all {
		return v, nil
	}
	if v.Configs, err = configs(ctx, addr, id, m); err != nil {
		return v, err
	}
	v.Logs, err = logs(ctx, addr)
	return v, err
}

func topicView(t kmsg.MetadataResponseTopic) TopicView {
	v := TopicView{Code: t.ErrorCode, HasID: t.TopicID != [16]byte{}, Internal: t.IsInternal, Partitions: map[int32]PartitionView{}}
	for _, p := range t.Partitions {
		v.Partitions[p.Partition] = PartitionView{p.ErrorCode, p.Leader, p.LeaderEpoch, p.Replicas, p.ISR, p.OfflineReplicas}
	}
	return v
}

// configs are the settings of topics and of the broker that somebody has made.
func configs(ctx context.Context, addr string, id int, m *kmsg.MetadataResponse) (map[string]string, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version = 4
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: strconv.Itoa(id)}}
	for _, t := range m.Topics {
		req.Resources = append(req.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: *t.Topic})
	}
	resp, err := ask[*kmsg.DescribeConfigsResponse](ctx, addr, req)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, r := range resp.Resources {
		if r.ErrorCode != 0 {
			out[r.ResourceName] = fmt.Sprintf("code %d", r.ErrorCode)
		}
		for _, c := range r.Configs {
			if c.Value != nil && slices.Contains(dynamic, c.Source) {
				out[r.ResourceName+" "+c.Name] = fmt.Sprintf("%s (%v)", *c.Value, c.Source)
			}
		}
	}
	return out, nil
}

var dynamic = []kmsg.ConfigSource{kmsg.ConfigSourceDynamicTopicConfig, kmsg.ConfigSourceDynamicBrokerConfig, kmsg.ConfigSourceDynamicDefaultBrokerConfig}

// logs are the partitions on a broker's disks.
func logs(ctx context.Context, addr string) (out []string, err error) {
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Version = 4
	resp, err := ask[*kmsg.DescribeLogDirsResponse](ctx, addr, req)
	if err != nil {
		return nil, err
	}
	for _, d := range resp.Dirs {
		if d.ErrorCode != 0 {
			out = append(out, fmt.Sprintf("directory with code %d", d.ErrorCode))
		}
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				out = append(out, ID{t.Topic, p.Partition}.String())
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

func ask[R kmsg.Response](ctx context.Context, addr string, req kmsg.Request) (R, error) {
	var none R
	resp, err := kafka.Ask(ctx, addr, req)
	if err != nil {
		return none, err
	}
	r, ok := resp.(R)
	if !ok {
		return none, fmt.Errorf("%s answers with %T", addr, resp)
	}
	return r, nil
}
