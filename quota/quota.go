// Package quota decides how many partitions a client may have created and deleted per second:
// quotas on controller_mutation_rate (KIP-599), as the ZooKeeper controller of Kafka 3.9 holds
// them. It is pure; time is given to it, in milliseconds of one clock.
package quota

// Client is who asks: the principal's name, ANONYMOUS where nobody has to say who they are, and
// the client id of the request's header, empty if it has none.
type Client struct{ User, ID string }

// Entity is whom a limit is for: users, clients, or clients of users.
type Entity struct{ User, Client Scope }

// Scope is one half of an entity. The zero value stands for everybody, together.
type Scope struct {
	Kind Kind
	Name string // where Kind is Named
}

// Kind says whom a Scope has in it.
type Kind uint8

// Kinds of a Scope. Default is each one that has no limit by its own name, each for itself.
const (
	Any Kind = iota
	Named
	Default
)

// Of returns the scope of one name.
func Of(name string) Scope { return Scope{Named, name} }

// Limiter knows the limits, and what is left to those who have one. The zero value is not
// usable; see New.
type Limiter struct {
	limits  map[Entity]float64
	buckets map[Client]*bucket
	pruneAt int // how many buckets there may be before those that say nothing are dropped
}

// New returns a limiter without limits.
func New() *Limiter {
	return &Limiter{limits: map[Entity]float64{}, buckets: map[Client]*bucket{}, pruneAt: minPrune}
}

// Set changes an entity's limit, in partitions a second; nil takes it away. What its clients have
// left is kept.
func (l *Limiter) Set(e Entity, rate *float64) {
	if rate == nil {
		delete(l.limits, e)
		return
	}
	l.limits[e] = *rate
}

// limit finds the most specific limit of a client, in Kafka's order, and who shares it: a limit
// for users has one bucket for each, whatever their client ids, and the other way round.
func (l *Limiter) limit(c Client) (rate float64, owner Client, ok bool) {
	user, id := Of(c.User), Of(c.ID)
	deflt := Scope{Kind: Default}
	for _, e := range [...]Entity{
		{user, id}, {user, deflt}, {User: user},
		{deflt, id}, {deflt, deflt}, {User: deflt},
		{Client: id}, {Client: deflt},
	} {
		if rate, ok = l.limits[e]; !ok {
			continue
		}
		if e.User.Kind != Any {
			owner.User = c.User
		}
		if e.Client.Kind != Any {
			owner.ID = c.ID
		}
		return rate, owner, true
	}
	return 0, owner, false
}

// Charge has a client pay for partitions. The strict are refused, and pay nothing, while they owe
// any; others never are, but have to wait from when they owe. wait is how long until
// nothing is owed, in milliseconds. window is what a bucket holds, in milliseconds of its rate.
func (l *Limiter) Charge(now, window int64, c Client, strict bool, partitions int) (wait int64, ok bool) {
	rate, owner, limited := l.limit(c)
	if !limited {
		return 0, true
	}
	b := l.buckets[owner]
	if b == nil {
		l.prune(now, window)
		b = &bucket{left: rate * seconds(window), at: now}
		l.buckets[owner] = b
	}
	b.owner = c
	b.refill(now, window, rate)
	if strict && b.left < 0 {
		return b.wait(rate), false
	}
	b.left -= float64(partitions)
	if strict || b.left >= 0 {
		return 0, true
	}
	return b.wait(rate), true
}
