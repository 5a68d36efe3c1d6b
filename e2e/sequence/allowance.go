package sequence

import "fmt"

// Range is how much larger a partition's leader epoch under Baton may be than under Kafka's controller.
type Range struct{ Low, High int }

func (r Range) contains(d int) bool { return r.Low <= d && d <= r.High }

func (r Range) String() string { return fmt.Sprintf("%+d…%+d", r.Low, r.High) }

// Allowance is what one operation may add to the range of each partition that it touches.
type Allowance struct {
	Range
	Why string
}

// Allowances by kind of operation; after those that are not listed the epochs have to be what they were, as far apart.
var Allowances = map[Kind]Allowance{
	Reassign: {Range{-3, 0}, "to be measured"},
}

// Allowed adds up what the operations allow.
func Allowed(ops []Op) map[ID]Range {
	out := map[ID]Range{}
	for _, o := range ops {
		if o.Invalid != "" {
			continue
		}
		if o.Kind == Delete || o.Kind == Create {
			for id := range out {
				if id.Topic == o.Topic { // another topic begins anew
					delete(out, id)
				}
			}
		}
		a := Allowances[o.Kind]
		for _, id := range o.Touches {
			r := out[id]
			out[id] = Range{r.Low + a.Low, r.High + a.High}
		}
	}
	return out
}
