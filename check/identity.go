package check

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"baton/config"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// identity: our id must never have been, nor ever become, a broker's.
func (e *evaluation) identity() {
	const item = "node.id"
	id := int32(e.Config.NodeID)
	before := len(e.found)
	if e.registered(id) {
		e.add(Fail, item, "choose an id that no broker has; 2000000 and up is recommended", "%d is the id of a registered broker", id)
	}
	if m, ok := memberWith(e.Role.Members, id, e.Config.InstanceName); ok {
		e.add(Fail, item, "give each Baton an id of its own", "%d is used by a live Baton (%s on %s)", id, m.Name, orDash(m.Host))
	}
	known := slices.Contains(e.Batons, id)
	for _, other := range sortedKeys(e.Topics.OnBatons) {
		topics := e.Topics.OnBatons[other]
		switch {
		case other == id && !known:
			e.add(Fail, item, "choose an id that was never a broker's: these would be taken for replicas placed on Baton by mistake",
				"%d topics have replicas on %d, which was never a Baton's: %s", len(topics), id, some(topics))
		default:
			e.add(Warn, "replicas on Baton ids", "Baton repairs these assignments when it claims",
				"%d topics have replicas on Baton %d: %s", len(topics), other, some(topics))
		}
	}
	e.generatedIDs(id)
	if len(e.found) == before {
		e.add(OK, item, "", "%d is nobody else's", id)
	}
}

// generatedIDs: with broker.id.generation.enable a broker without an id gets the next above reserved.broker.max.id.
func (e *evaluation) generatedIDs(id int32) {
	if id >= config.MinRecommendedID {
		return
	}
	for _, b := range e.Brokers {
		if b.Configs["broker.id.generation.enable"] != "true" {
			continue
		}
		limit, err := strconv.Atoi(b.Configs["reserved.broker.max.id"])
		if err == nil && int(id) > limit {
			e.add(Warn, "node.id", "choose 2000000 or more", "%d is above reserved.broker.max.id (%d), so a new broker could be given it", id, limit)
			return
		}
	}
	e.add(Warn, "node.id", "choose 2000000 or more", "%d is in the range of brokers' ids", id)
}
