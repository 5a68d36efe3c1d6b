package javacheck_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"baton/e2e/javacheck"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a controller in ZooKeeper mode sends, gets or answers.
var keys = []int16{3, 4, 5, 6, 7, 10, 18, 19, 22, 56, 60, 67}

// wrongInKmsg are the messages that kmsg is known to write differently from Kafka. One that stops being wrong fails
// the test, so that nobody goes on working around it.
var wrongInKmsg = map[string]bool{
	"R 5 v4": true, // two fields of StopReplica's partition states are swapped
}

type body interface {
	SetVersion(int16)
	MaxVersion() int16
	AppendTo([]byte) []byte
	ReadFrom([]byte) error
}

func newBody(d javacheck.Direction, key int16) body {
	if d == javacheck.Request {
		return kmsg.RequestForKey(key)
	}
	return kmsg.ResponseForKey(key)
}

// TestKmsgAgreesWithKafka sends what Java wrote through kmsg and back.
func TestKmsgAgreesWithKafka(t *testing.T) {
	c := javacheck.New(t)
	compared := 0
	for _, key := range keys {
		for _, d := range []javacheck.Direction{javacheck.Request, javacheck.Response} {
			low, high, err := c.Versions(d, key)
			if err != nil {
				t.Fatal(err)
			}
			b := newBody(d, key)
			if b.MaxVersion() < high {
				t.Logf("%s %d: kmsg knows up to v%d, Kafka v%d", d, key, b.MaxVersion(), high)
			}
			for v := low; v <= min(high, b.MaxVersion()); v++ {
				compared += compareVersion(t, c, d, key, v)
			}
		}
	}
	t.Logf("%d bodies compared", compared)
}

func compareVersion(t *testing.T, c *javacheck.Checker, d javacheck.Direction, key, version int16) int {
	t.Helper()
	name := fmt.Sprintf("%s %d v%d", d, key, version)
	var failures []string
	for _, shape := range javacheck.Shapes {
		if err := roundTrip(c, d, key, version, shape); err != nil {
			failures = append(failures, fmt.Sprintf("%s %s: %.400v", name, shape, err))
		}
	}
	switch {
	case wrongInKmsg[name] && len(failures) == 0:
		t.Errorf("%s is right in kmsg: take it off the list of wrong ones", name)
	case !wrongInKmsg[name] && len(failures) > 0:
		t.Error(strings.Join(failures, "\n"))
	}
	return len(javacheck.Shapes)
}

func roundTrip(c *javacheck.Checker, d javacheck.Direction, key, version int16, shape javacheck.Shape) error {
	java, err := c.Generate(d, key, version, shape)
	if err != nil {
		return err
	}
	if err := c.Check(d, key, version, java); err != nil {
		return fmt.Errorf("Kafka about its own bytes: %w", err)
	}
	b := newBody(d, key)
	b.SetVersion(version)
	if err := b.ReadFrom(java); err != nil {
		return fmt.Errorf("kmsg cannot read % x: %w", java, err)
	}
	ours := b.AppendTo(nil)
	if err := c.Check(d, key, version, ours); err != nil {
		return err
	}
	if !bytes.Equal(ours, java) {
		return fmt.Errorf("kmsg wrote other bytes than it read: % x, % x", java, ours)
	}
	return nil
}

// TestCheckerNotices makes sure that the checker can say no.
func TestCheckerNotices(t *testing.T) {
	c := javacheck.New(t)
	good, err := c.Generate(javacheck.Response, 6, 8, javacheck.Full)
	if err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string][]byte{
		"left over": append(bytes.Clone(good), 0),
		"truncated": good[:len(good)-1],
		"empty":     nil,
	} {
		if c.Check(javacheck.Response, 6, 8, bad) == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	if c.Check(javacheck.Response, 6, 99, good) == nil {
		t.Error("a version that does not exist was accepted")
	}
	text, err := c.JSON(javacheck.Response, 6, 8, good)
	if err != nil || !strings.Contains(text, `"errorCode"`) {
		t.Errorf("JSON %s: %v", text, err)
	}
}
