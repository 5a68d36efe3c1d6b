package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"

	"baton/partition"
)

// saramaElector talks to the cluster through sarama's admin client.
type saramaElector struct {
	client sarama.Client
	admin  sarama.ClusterAdmin
}

// newSaramaElector connects to the first broker that answers.
func newSaramaElector(addrs []string) (elector, error) {
	cfg := sarama.NewConfig()
	cfg.ClientID = "baton-elect"
	cfg.Version = sarama.V2_4_0_0 // the oldest brokers that Baton leads
	cfg.Net.DialTimeout = 5 * time.Second
	cfg.Net.ReadTimeout = 75 * time.Second // the controller answers after 60 s at the latest
	client, err := sarama.NewClient(addrs, cfg)
	if err != nil {
		return nil, err
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &saramaElector{client, admin}, nil
}

// Close ends the connections.
func (s *saramaElector) Close() { _ = s.admin.Close() }

// Partitions implements elector.
func (s *saramaElector) Partitions(topics []string) ([]described, error) {
	found, err := s.admin.DescribeTopics(topics)
	if err != nil {
		return nil, err
	}
	var out []described
	for _, t := range found {
		if !errors.Is(t.Err, sarama.ErrNoError) && !errors.Is(t.Err, sarama.ErrUnknownTopicOrPartition) && !errors.Is(t.Err, sarama.ErrLeaderNotAvailable) {
			return nil, fmt.Errorf("topic %s: %w", t.Name, t.Err)
		}
		for _, p := range t.Partitions {
			out = append(out, described{partition.ID{Topic: t.Name, Number: p.ID}, p.Leader, p.Replicas, p.Isr, p.OfflineReplicas})
		}
	}
	slices.SortFunc(out, func(a, b described) int { return partition.Compare(a.ID, b.ID) })
	return out, nil
}

// Elect implements elector. A broker that is not the controller says so for each
// partition, which sarama does not look at.
func (s *saramaElector) Elect(unclean bool, ids []partition.ID) ([]elected, error) {
	kind, asked := sarama.PreferredElection, map[string][]int32{}
	if unclean {
		kind = sarama.UncleanElection
	}
	for _, id := range ids {
		asked[id.Topic] = append(asked[id.Topic], id.Number)
	}
	for try := 1; ; try++ {
		found, err := s.admin.ElectLeaders(kind, asked)
		if err != nil {
			return nil, fmt.Errorf("ElectLeaders: %w", err)
		}
		out, moved := outcomes(ids, found)
		if !moved || try == 5 {
			return out, nil
		}
		time.Sleep(time.Duration(try) * 200 * time.Millisecond)
		if _, err := s.client.RefreshController(); err != nil {
			return nil, fmt.Errorf("finding the controller: %w", err)
		}
	}
}

// outcomes are the results in the order of ids; moved: of somebody who is not the controller.
func outcomes(ids []partition.ID, found map[string]map[int32]*sarama.PartitionResult) (out []elected, moved bool) {
	for _, id := range ids {
		r := found[id.Topic][id.Number]
		e := elected{ID: id}
		switch {
		case r == nil:
			e.Error = "no answer"
		case errors.Is(r.ErrorCode, sarama.ErrNoError):
		default:
			code := kerr.TypedErrorForCode(int16(r.ErrorCode))
			e.Error, e.NotNeeded = code.Message, code == kerr.ElectionNotNeeded
			if r.ErrorMessage != nil {
				e.Message = *r.ErrorMessage
			}
			moved = moved || code == kerr.NotController
		}
		out = append(out, e)
	}
	return out, moved
}
