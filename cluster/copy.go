package cluster

import (
	"maps"
	"slices"
)

// WithoutTopics returns a copy of the image that knows the brokers and what they mean for partitions, but no topic. With
// copies of topics, made by CopyTopic, it answers as the image does now, for as long as it is kept.
func (im *Image) WithoutTopics() *Image {
	return &Image{
		brokers: maps.Clone(im.brokers), leaving: maps.Clone(im.leaving), batons: maps.Clone(im.batons), unread: maps.Clone(im.unread),
		topics: map[string]*Topic{}, ids: map[TopicID]string{}, hosted: map[int32]*Slots{}, sorted: im.sorted,
		view: im.view, learned: maps.Clone(im.learned),
	}
}

// CopyTopic copies a topic; ok is false if there is none. Lists of ids are shared: nobody changes one in its place.
func (im *Image) CopyTopic(name string) (t Topic, ok bool) {
	p := im.topics[name]
	if p == nil {
		return Topic{}, false
	}
	t = *p
	t.Partitions = slices.Clone(p.Partitions)
	return t, true
}

// TopicNames returns the topics' names in no order: with many of them sorting takes longer than the loop has time for.
func (im *Image) TopicNames() []string {
	out := make([]string, 0, len(im.topics))
	for name := range im.topics {
		out = append(out, name)
	}
	return out
}

// Unread returns the ids whose registrations cannot be understood and never could, sorted.
func (im *Image) Unread() []int32 { return slices.Sorted(maps.Keys(im.unread)) }
