package sequence

import "fmt"

// Range is how much larger a partition's leader epoch under Baton may be than under Kafka's controller.
type Range struct{ Low, High int }

func (r Range) contains(d int) bool { return r.Low <= d && d <= r.High }

func (r Range) String() string { return fmt.Sprintf("%+d…%+d", r.Low, r.High) }

// Allowance is how many leader epochs fewer Baton may get along with in one operation: Removed for each replica that is taken from a
// partition, Again for each time that what is so already may be written again.
type Allowance struct {
	Removed, Again int
	Why            string
}

const (
	inOneStep = "Kafka's controller takes the removed replicas out of the ISR one by one, an epoch each, after it has moved the leader; " +
		"Baton does it all in one step"
	notAgain = "Kafka's controller begins a reassignment in progress again, with a new epoch, when a broker of its target starts; Baton finds " +
		"that nothing is to be begun"
	noFailover = "The broker may be Kafka's controller. The next one begins reassignments in progress again, and writes that partitions have no " +
		"leader once more, with a new epoch; under Baton the controller has not gone"
)

// Allowances by kind of operation. After the others, and of partitions that are not touched, the epochs have to be equal; Baton never
// needs more of them.
var Allowances = map[Kind]Allowance{
	Reassign:        {1, 1, inOneStep + ". To the replicas that there are: Kafka's controller writes a new epoch, Baton nothing"},
	ReassignAndKill: {1, 1, inOneStep + ". Of other partitions: " + noFailover},
	Cancel:          {1, 0, inOneStep},
	Kill:            {0, 1, noFailover + ". It also writes that what a killed controller led has no leader, before it elects one"},
	ShutDown:        {0, 1, noFailover},
	Boot:            {0, 1, notAgain},
	Restart:         {0, 1, noFailover + ". " + notAgain},
}

// Allowed adds up what the operations allow.
func Allowed(ops []Op) map[ID]Range {
	out := map[ID]Range{}
	for _, o := range ops {
		if o.Invalid == "" && o.Kind == Create { // another topic begins anew
			for id := range out {
				if id.Topic == o.Topic {
					delete(out, id)
				}
			}
		}
		a := Allowances[o.Kind]
		for _, t := range o.Touches {
			r := out[t.ID]
			out[t.ID] = Range{r.Low - a.Removed*t.Removed - a.Again*t.Again, r.High}
		}
	}
	return out
}
