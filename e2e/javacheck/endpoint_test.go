package javacheck_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"baton/e2e/javacheck"
	"baton/server"
	"baton/server/servertest"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// shapesWanted is how many shapes every message has to be seen in.
const shapesWanted = 3

type keyVersion struct{ key, version int16 }

// coverage counts in which shapes a message was seen.
type coverage map[keyVersion]map[string]bool

func (c coverage) add(key, version int16, shape string) {
	kv := keyVersion{key, version}
	if c[kv] == nil {
		c[kv] = map[string]bool{}
	}
	c[kv][shape] = true
}

// answered lists what Baton writes itself: whatever it serves or offers to clients and does not pass on to a broker.
// It is found out from the server, so that an API added there without samples here is noticed.
func answered(t *testing.T) []keyVersion {
	t.Helper()
	s := servertest.ServerFor(servertest.Full)
	candidates := offered(t, s)
	for _, k := range wire.Served() {
		for v := k.Min; v <= k.Max; v++ {
			candidates = append(candidates, keyVersion{k.Key, v})
		}
	}
	slices.SortFunc(candidates, func(a, b keyVersion) int { return int(a.key-b.key)*100 + int(a.version-b.version) })
	var out []keyVersion
	for _, kv := range slices.Compact(candidates) {
		if answers(s, kv) {
			out = append(out, kv)
		}
	}
	return out
}

// offered is what ApiVersions advertises.
func offered(t *testing.T, s *server.Server) []keyVersion {
	t.Helper()
	frame, err := s.Handle(context.Background(), servertest.Listener, frameOf(t, wire.ApiVersions, 0, nil))
	if err != nil {
		t.Fatal(err)
	}
	_, body, err := wire.ParseResponseHeader(frame[4:], wire.ApiVersions, 0)
	if err != nil {
		t.Fatal(err)
	}
	var resp kmsg.ApiVersionsResponse
	if err := resp.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	var out []keyVersion
	for _, k := range resp.ApiKeys {
		for v := k.MinVersion; v <= k.MaxVersion; v++ {
			out = append(out, keyVersion{k.ApiKey, v})
		}
	}
	return out
}

// answers says whether the server answers a request by itself: one that names nothing, or one about Baton.
func answers(s *server.Server, kv keyVersion) bool {
	for _, shape := range []servertest.Shape{servertest.Empty, servertest.Full} {
		id := "probe"
		req := servertest.Request(kv.key, kv.version, shape)
		frame := wire.AppendRequestHeader(nil, wire.RequestHeader{Key: kv.key, Version: kv.version, ClientID: &id})
		if _, err := s.Handle(context.Background(), servertest.Listener, req.AppendTo(frame)); err == nil {
			return true
		}
	}
	return false
}

func frameOf(t testing.TB, key, version int16, body []byte) []byte {
	t.Helper()
	id := "java"
	return append(wire.AppendRequestHeader(nil, wire.RequestHeader{Key: key, Version: version, CorrelationID: javacheck.Correlation, ClientID: &id}), body...)
}

// Every response that Baton writes is what Kafka would have written, and each version of each API is seen in several
// shapes.
func TestResponsesParseInJava(t *testing.T) {
	c := javacheck.New(t)
	seen, bodies := coverage{}, map[keyVersion]map[string]bool{}
	for _, s := range servertest.Samples() {
		err := c.Check(javacheck.Response, s.Key, s.Version, s.Body)
		if err == nil {
			header := wire.AppendResponseHeader(nil, s.Key, s.Version, javacheck.Correlation)
			err = c.Frame(javacheck.Response, s.Key, s.Version, append(header, s.Body...))
		}
		if err != nil {
			t.Errorf("key %d version %d shape %s: %.600v", s.Key, s.Version, s.Shape, err)
		}
		seen.add(s.Key, s.Version, s.Shape)
		kv := keyVersion{s.Key, s.Version}
		if bodies[kv] == nil {
			bodies[kv] = map[string]bool{}
		}
		bodies[kv][string(s.Body)] = true
	}
	for _, kv := range answered(t) {
		if n := len(seen[kv]); n < shapesWanted {
			t.Errorf("key %d version %d is answered, but seen in %d shapes only", kv.key, kv.version, n)
		}
	}
	for kv, different := range bodies {
		// UpdateMetadata's whole answer is one code, and lists that are always empty look like each other.
		if few := []int16{6, 16, 35, 66}; len(different) < 2 && !slices.Contains(few, kv.key) {
			t.Errorf("key %d version %d: all samples are the same bytes", kv.key, kv.version)
		}
	}
	t.Logf("%d messages in several shapes each", len(seen))
}

// What Java writes as a request is read by Baton, value by value: written again it is the same bytes.
func TestJavaRequestsParseInBaton(t *testing.T) {
	c := javacheck.New(t)
	seen := coverage{}
	for _, kv := range served() {
		for _, shape := range javacheck.Shapes {
			body, err := c.Generate(javacheck.Request, kv.key, kv.version, shape)
			if err != nil {
				t.Errorf("key %d version %d shape %s: %v", kv.key, kv.version, shape, err)
				continue
			}
			req, err := wire.DecodeRequest(kv.key, kv.version, body)
			if err != nil {
				t.Errorf("key %d version %d shape %s: %v", kv.key, kv.version, shape, err)
				continue
			}
			again := req.AppendTo(nil)
			if kv.key == wire.StopReplica && kv.version == 4 {
				again = javaOrder(again)
			}
			if !bytes.Equal(again, body) {
				t.Errorf("key %d version %d shape %s: Java wrote %x, we understood %x", kv.key, kv.version, shape, body, again)
			}
			seen.add(kv.key, kv.version, string(shape))
		}
	}
	for _, kv := range served() {
		if len(seen[kv]) < shapesWanted {
			t.Errorf("key %d version %d is served, but was read in %d shapes only", kv.key, kv.version, len(seen[kv]))
		}
	}
}

// What Java writes before a request is read by Baton, and leaves it at the request's first byte.
func TestJavaRequestHeadersParseInBaton(t *testing.T) {
	c := javacheck.New(t)
	for _, kv := range served() {
		for _, clientID := range []string{"", "someone", strings.Repeat("long", 100)} {
			frame, err := c.RequestHeader(kv.key, kv.version, clientID)
			if err != nil {
				t.Fatal(err)
			}
			h, body, err := wire.ParseRequestHeader(append(frame, "body"...))
			if err != nil || h.Key != kv.key || h.Version != kv.version || h.CorrelationID != javacheck.Correlation || string(body) != "body" {
				t.Errorf("key %d version %d: %+v, then %q: %v", kv.key, kv.version, h, body, err)
			}
			if got := h.ClientID; (got == nil) != (clientID == "") || got != nil && *got != clientID {
				t.Errorf("key %d version %d: client id %v, want %q", kv.key, kv.version, got, clientID)
			}
		}
	}
}

// served is every version of wire's table.
func served() []keyVersion {
	var out []keyVersion
	for _, k := range wire.Served() {
		for v := k.Min; v <= k.Max; v++ {
			out = append(out, keyVersion{k.Key, v})
		}
	}
	return out
}

// javaOrder undoes kmsg's order of StopReplica v4, where the epoch precedes the flag.
func javaOrder(body []byte) []byte {
	b := slices.Clone(body)
	flag := b[8]
	copy(b[5:9], b[4:8])
	b[4] = flag
	return b
}

// Java's made-up requests go through the whole server; what it makes of them has to parse in Java, too. A request that
// it cannot take closes the connection or goes to a broker, so an error is no failure here, but a panic would be.
func TestAnswersToJavaRequestsParseInJava(t *testing.T) {
	c := javacheck.New(t)
	answers := 0
	for key, versions := range servertest.Keys() {
		for v := versions[0]; v <= versions[1]; v++ {
			for _, shape := range javacheck.Shapes {
				if key == wire.CreateTopics && shape == javacheck.Long {
					continue // two hundred topics with thousands of partitions each: slow, and no other form of answer
				}
				body, err := c.Generate(javacheck.Request, key, v, shape)
				if err != nil {
					t.Errorf("key %d version %d shape %s: %v", key, v, shape, err)
					continue
				}
				answers += answerTo(t, c, keyVersion{key, v}, shape, body)
			}
		}
	}
	t.Logf("%d answers", answers)
}

func answerTo(t *testing.T, c *javacheck.Checker, kv keyVersion, asked javacheck.Shape, body []byte) int {
	t.Helper()
	n := 0
	for _, state := range []servertest.Shape{servertest.Full, servertest.Standby} {
		frame, err := servertest.ServerFor(state).Handle(context.Background(), servertest.Listener, frameOf(t, kv.key, kv.version, body))
		if err != nil {
			continue
		}
		_, answer, err := wire.ParseResponseHeader(frame[4:], kv.key, kv.version)
		if err == nil {
			err = c.Check(javacheck.Response, kv.key, kv.version, answer)
		}
		if err != nil {
			t.Errorf("key %d version %d, asked %s while %s: %.600v", kv.key, kv.version, asked, state, err)
		}
		n++
	}
	return n
}
