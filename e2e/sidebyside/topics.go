package main

import "context"

// created is the goal that all is known of the partitions of a span.
func (r *rig) created(s span) *goal {
	return &goal{name: "all",
		needs: func(id int32, i int) (bool, bool) { return i >= s.from && r.layout.has(i, id), i >= s.from },
		met:   func(_ int, h *heard) bool { return h.leader >= 0 }}
}

// stormOf creates the topics of a span and compares what becomes of them.
func (r *rig) stormOf(ctx context.Context, name string, s span, create func() error) error {
	if err := r.timed(ctx, name, s.topics*s.per, nil, create, r.created(s)); err != nil {
		return err
	}
	return r.same(ctx, name, true)
}

func (r *rig) oneTopic(ctx context.Context) error {
	if err := r.clean(ctx); err != nil {
		return err
	}
	s := r.layout.grow("one", 1, r.storm)
	return r.stormOf(ctx, "one topic", s, func() error {
		_, err := r.conn.Create(topicPath(s.topic(0)), r.layout.assignment(s, 0), 0, open)
		return err
	})
}

func (r *rig) manyTopics(ctx context.Context) error {
	if err := r.clean(ctx); err != nil {
		return err
	}
	s := r.layout.grow("many", r.storm, 1)
	return r.stormOf(ctx, "many topics at once", s, func() error {
		return inBatches(ctx, r.conn, s.topics, func(n int) []any {
			return []any{create(topicPath(s.topic(n)), r.layout.assignment(s, n))}
		})
	})
}

// eachTopic writes one topic when the one before is written, whatever the controller has made of it.
func (r *rig) eachTopic(ctx context.Context) error {
	if err := r.clean(ctx); err != nil {
		return err
	}
	s := r.layout.grow("each", r.storm, 1)
	return r.stormOf(ctx, "many topics one by one", s, func() error {
		for n := range s.topics {
			if _, err := r.conn.Create(topicPath(s.topic(n)), r.layout.assignment(s, n), 0, open); err != nil {
				return err
			}
		}
		return nil
	})
}
