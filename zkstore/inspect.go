package zkstore

import (
	"context"
	"encoding/json"
	"fmt"

	"baton/cluster"
	"baton/epoch"
	"baton/planner"
)

// The reads of this file need no claim: a standby's endpoint, `check` and `status` use
// them. What they return may be older than what the holder knows.

const pathClusterID = "/cluster/id"

// ReadBrokers reads all registrations, and those that cannot be understood.
func (s *Session) ReadBrokers(ctx context.Context) ([]cluster.Broker, []planner.Bad, error) {
	st := s.Store(epoch.Fence{})
	defer st.unsubscribe()
	b, _, err := st.readBrokers(ctx)
	return b.Brokers, b.Bad, err
}

// ReadTopics reads all topics and the states of their partitions.
func (s *Session) ReadTopics(ctx context.Context) ([]planner.TopicRead, []planner.StateRead, error) {
	names, err := s.children(ctx, pathTopics)
	if err != nil {
		return nil, nil, err
	}
	st := s.Store(epoch.Fence{})
	defer st.unsubscribe()
	t, err := st.readTopics(ctx, names)
	return t.Topics, t.States, err
}

// ReadBatons reads every id that was ever a Baton's.
func (s *Session) ReadBatons(ctx context.Context) ([]int32, error) {
	st := s.Store(epoch.Fence{})
	defer st.unsubscribe()
	b, err := st.readBatons(ctx)
	return b.IDs, err
}

// ReadDeletions reads which topics have a marker in /admin/delete_topics.
func (s *Session) ReadDeletions(ctx context.Context) ([]string, error) {
	names, err := s.children(ctx, pathDeleteTopics)
	sortNames(names)
	return names, err
}

// ReadClusterID returns the id in /cluster/id, empty if no broker ever started here.
func (s *Session) ReadClusterID(ctx context.Context) (string, error) {
	n, err := s.get(ctx, pathClusterID)
	if err != nil || !n.exists {
		return "", err
	}
	var v struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(n.data, &v); err != nil || v.ID == "" {
		return "", fmt.Errorf("%s: expected JSON with a string \"id\", found %s", pathClusterID, excerpt(n.data))
	}
	return v.ID, nil
}

// ReadFeatures returns the version of /feature, and whether it is there and enabled.
func (s *Session) ReadFeatures(ctx context.Context) (version int32, enabled bool, err error) {
	n, err := s.get(ctx, pathFeature)
	if err != nil || !n.exists {
		return 0, false, err
	}
	if enabled, err = featuresCurrent(n.data, 0); err != nil {
		return 0, false, fmt.Errorf("%s: %w", pathFeature, err)
	}
	return n.stat.Version, enabled, nil
}

// HasRoot reports whether the chroot exists.
func (s *Session) HasRoot(ctx context.Context) (bool, error) {
	n, err := s.get(ctx, "/")
	return n.exists, err
}
