package planner

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ScramMechanism is a mechanism's number in requests (KIP-554).
type ScramMechanism int8

// scramMechanisms are those that brokers know: the key in /config/users/<user>, and the hash.
var scramMechanisms = map[ScramMechanism]struct {
	name string
	hash func() hash.Hash
}{
	1: {"SCRAM-SHA-256", sha256.New},
	2: {"SCRAM-SHA-512", sha512.New},
}

const (
	minScramIterations = 4096
	maxScramIterations = 16384
)

// AlterScram (api 51): credentials of users to be removed and to be set.
type AlterScram struct {
	Deletions  []ScramDeletion
	Upsertions []ScramUpsertion
}

// ScramDeletion removes a user's credential.
type ScramDeletion struct {
	User      string
	Mechanism ScramMechanism
}

// ScramUpsertion sets one. The password itself is never sent: Salted is its salted hash.
type ScramUpsertion struct {
	User         string
	Mechanism    ScramMechanism
	Iterations   int32
	Salt, Salted []byte
}

// AlterScramReply has one entry for each user of the request, in the order in which they are
// first named, deletions before upsertions.
type AlterScramReply struct{ Users []ScramUser }

// ScramUser is one user's answer. Message explains Err, and may be empty.
type ScramUser struct {
	User    string
	Err     *kerr.Error
	Message string
}

func (AlterScram) call()       {}
func (AlterScramReply) reply() {}

// scramCall is one under way.
type scramCall struct {
	body  AlterScram
	reply AlterScramReply
	open  int // users being written
}

// alterScram refuses users one by one in Kafka's order: what cannot be, then what is named
// twice; that a credential to be removed exists is found out by the write. A user's
// credentials are changed together or not at all.
func (m *Machine) alterScram(token uint64, b AlterScram) {
	c := &scramCall{body: b}
	refused := b.refusals()
	writes := b.writes()
	for _, user := range b.Users() {
		r := ScramUser{User: user}
		if no := refused[user]; no != nil {
			r.Err, r.Message = no.code, no.text
			delete(writes, user)
		}
		c.reply.Users = append(c.reply.Users, r)
	}
	c.open = len(writes)
	if c.open == 0 {
		m.reply(token, c.reply)
		return
	}
	m.scrams[token] = c
	for i, r := range c.reply.Users {
		if w, ok := writes[r.User]; ok {
			m.write(w, func(res Result) { m.scramWritten(token, c, i, res) })
		}
	}
}

func (m *Machine) scramWritten(token uint64, c *scramCall, i int, w Result) {
	r := &c.reply.Users[i]
	switch w.Outcome {
	case Applied:
	case Conflict:
		r.Err, r.Message = kerr.ResourceNotFound, "Attempt to delete a user credential that does not exist"
	case Failed:
		r.Err = kerr.UnknownServerError
		m.note(Note{Kind: NoteWriteFailed, Broker: -1, Text: fmt.Sprintf("credentials of user %q: %s", r.User, w.Reason)})
	}
	if c.open--; c.open == 0 {
		delete(m.scrams, token)
		m.reply(token, c.reply)
	}
}

// Users lists everybody who is named, once.
func (b AlterScram) Users() []string {
	var out []string
	seen := map[string]bool{}
	add := func(user string) {
		if !seen[user] {
			seen[user] = true
			out = append(out, user)
		}
	}
	for _, d := range b.Deletions {
		add(d.User)
	}
	for _, u := range b.Upsertions {
		add(u.User)
	}
	return out
}

// refusals says what is wrong with each user's part of the request.
func (b AlterScram) refusals() map[string]*refusal {
	out := map[string]*refusal{}
	named := func(user string, mechanism ScramMechanism) bool {
		if user == "" {
			out[user] = refuse(kerr.UnacceptableCredential, "Username must not be empty")
			return false
		}
		if _, ok := scramMechanisms[mechanism]; !ok {
			out[user] = refuse(kerr.UnsupportedSaslMechanism, "Unknown SCRAM mechanism")
			return false
		}
		return true
	}
	for _, d := range b.Deletions {
		named(d.User, d.Mechanism)
	}
	for _, u := range b.Upsertions {
		switch ok := named(u.User, u.Mechanism); {
		case ok && u.Iterations > maxScramIterations:
			out[u.User] = refuse(kerr.UnacceptableCredential, "Too many iterations")
		case ok && u.Iterations < minScramIterations:
			out[u.User] = refuse(kerr.UnacceptableCredential, "Too few iterations")
		}
	}
	type pair struct {
		user      string
		mechanism ScramMechanism
	}
	seen := map[pair]bool{}
	once := func(p pair) {
		if seen[p] && out[p.user] == nil {
			out[p.user] = refuse(kerr.DuplicateResource, "A user credential cannot be altered twice in the same request")
		}
		seen[p] = true
	}
	for _, d := range b.Deletions {
		once(pair{d.User, d.Mechanism})
	}
	for _, u := range b.Upsertions {
		once(pair{u.User, u.Mechanism})
	}
	return out
}

// writes makes one write for each user; what was refused is in it, too.
func (b AlterScram) writes() map[string]AlterUser {
	out := map[string]AlterUser{}
	for _, d := range b.Deletions {
		w := out[d.User]
		w.User, w.Remove = d.User, append(w.Remove, scramMechanisms[d.Mechanism].name)
		out[d.User] = w
	}
	for _, u := range b.Upsertions {
		w := out[u.User]
		if w.Set == nil {
			w.Set = map[string]string{}
		}
		if mech, ok := scramMechanisms[u.Mechanism]; ok {
			w.Set[mech.name] = credential(mech.hash, u)
		}
		w.User = u.User
		out[u.User] = w
	}
	return out
}

// credential is what brokers keep of a password: RFC 5802's stored key and server key.
func credential(h func() hash.Hash, u ScramUpsertion) string {
	key := func(name string) []byte {
		mac := hmac.New(h, u.Salted)
		mac.Write([]byte(name))
		return mac.Sum(nil)
	}
	stored := h()
	stored.Write(key("Client Key"))
	text := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("salt=%s,stored_key=%s,server_key=%s,iterations=%d", text(u.Salt), text(stored.Sum(nil)), text(key("Server Key")), u.Iterations)
}

// failScrams answers what is open when the role is lost.
func (m *Machine) failScrams() {
	tokens := make([]uint64, 0, len(m.scrams))
	for token := range m.scrams {
		tokens = append(tokens, token)
	}
	slices.Sort(tokens)
	for _, token := range tokens {
		m.reply(token, notController(m.scrams[token].body))
	}
}
