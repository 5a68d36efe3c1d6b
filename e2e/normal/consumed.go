package normal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// consumed joins what kafka-verifiable-consumer says after each poll: how many records one returns is chance. What was
// consumed of a partition, and the last offset committed, come after everything else.
func consumed(text string) string {
	type span struct {
		Topic     string `json:"topic"`
		Partition int    `json:"partition"`
		Count     int    `json:"count"`
		Min       int64  `json:"minOffset"`
		Max       int64  `json:"maxOffset"`
		Offset    int64  `json:"offset"`
	}
	var kept []string
	sums := map[string]string{}
	spans := map[string]span{}
	for line := range strings.Lines(text) {
		var event struct {
			Name       string `json:"name"`
			Success    bool   `json:"success"`
			Partitions []span `json:"partitions"`
			Offsets    []span `json:"offsets"`
		}
		text := strings.ReplaceAll(line, "TIME", "0")
		if json.Unmarshal([]byte(text), &event) != nil || event.Name != "records_consumed" && (event.Name != "offsets_committed" || !event.Success) {
			kept = append(kept, line)
			continue
		}
		for _, p := range event.Partitions {
			key := fmt.Sprintf("%s-%d", p.Topic, p.Partition)
			if s, ok := spans[key]; ok {
				p.Count, p.Min, p.Max = p.Count+s.Count, min(p.Min, s.Min), max(p.Max, s.Max)
			}
			spans[key] = p
			sums[key+" consumed"] = fmt.Sprintf("%d from %d to %d", p.Count, p.Min, p.Max)
		}
		for _, p := range event.Offsets {
			sums[fmt.Sprintf("%s-%d offsets_committed", p.Topic, p.Partition)] = fmt.Sprint(p.Offset)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		kept = append(kept, key+": "+sums[key]+"\n")
	}
	return strings.Join(kept, "")
}
