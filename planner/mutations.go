package planner

import "github.com/twmb/franz-go/pkg/kerr"

// mutations is how one call stands with its caller's quota on controller_mutation_rate (KIP-599).
// What is valid is charged before it is written, by the partition: what is only validated costs
// nothing, and what cannot be written after that is not given back.
type mutations struct {
	caller Caller
	wait   Millis // from at on
	at     Millis
}

// charge has a call's caller pay for partitions, or refuses it.
func (m *Machine) charge(c *mutations, partitions int) *refusal {
	wait, ok := m.quotas.Charge(int64(m.now), int64(m.set.QuotaWindow), c.caller.Client, c.caller.Strict, partitions)
	if !ok || wait > 0 {
		c.wait, c.at = Millis(wait), m.now
	}
	if !ok {
		return refuse(kerr.ThrottlingQuotaExceeded, "The throttling quota has been exceeded.")
	}
	return nil
}

// throttle is how much of the wait is left.
func (c *mutations) throttle(now Millis) Millis { return max(0, c.wait-(now-c.at)) }

func (m *Machine) quotasChanged(e QuotasChanged) {
	for _, r := range e.Read {
		m.quotas.Set(r.Entity, r.Rate)
	}
	m.setUnreadable(scopeQuotas, e.Bad)
}
