// Package javacheck asks Kafka's own generated Java classes what they think of our bytes, and for bytes of theirs.
//
// One JVM answers for a whole test. Its program is in this directory; javaprog runs it.
package javacheck

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"testing"

	"baton/e2e/javaprog"
	"baton/e2e/kafka"
)

//go:embed Checker.java
var checkerSource []byte

//go:embed Shapes.java
var shapesSource []byte

// Direction says whether a body is a request's or a response's.
type Direction string

// The directions.
const (
	Request  Direction = "R"
	Response Direction = "S"
)

// Shape is a way to fill a message.
type Shape string

// The shapes; Shapes.java says what they hold.
const (
	Full  Shape = "full"
	Empty Shape = "empty"
	Nulls Shape = "nulls"
	Long  Shape = "long"
)

// Shapes is all of them.
var Shapes = []Shape{Full, Empty, Nulls, Long}

// Checker is a running JVM. Its methods may be called concurrently; they take turns.
type Checker struct{ *javaprog.Program }

// New starts a checker with the classes of kafka.DefaultVersion, for the length of the test.
func New(t testing.TB) *Checker {
	t.Helper()
	return NewVersion(t, kafka.DefaultVersion)
}

// NewVersion is New with the classes of another Kafka.
func NewVersion(t testing.TB, version string) *Checker {
	t.Helper()
	return &Checker{javaprog.Start(t, version, "Checker", map[string][]byte{
		"Checker.java": checkerSource, "Shapes.java": shapesSource,
	})}
}

// Check says whether Kafka parses the body, to its last byte, and would have written the same bytes.
func (c *Checker) Check(d Direction, key, version int16, body []byte) error {
	_, err := c.Ask("check %s %d %d %s", d, key, version, encode(body))
	return err
}

// JSON returns the body's content as Kafka's own JSON converters write it.
func (c *Checker) JSON(d Direction, key, version int16, body []byte) (string, error) {
	return c.Ask("json %s %d %d %s", d, key, version, encode(body))
}

// Correlation is the id that frames for Frame must have, and headers of RequestHeader do.
const Correlation = 7

// Frame says whether a broker would take a whole request, or a client a whole response, without the length before it.
func (c *Checker) Frame(d Direction, key, version int16, frame []byte) error {
	_, err := c.Ask("frame %s %d %d %s", d, key, version, encode(frame))
	return err
}

// RequestHeader returns a header that Kafka wrote; an empty client id is left out.
func (c *Checker) RequestHeader(key, version int16, clientID string) ([]byte, error) {
	if clientID == "" {
		clientID = "-"
	}
	answer, err := c.Ask("header R %d %d %s", key, version, clientID)
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(answer)
}

// Generate returns a body that Kafka wrote.
func (c *Checker) Generate(d Direction, key, version int16, shape Shape) ([]byte, error) {
	answer, err := c.Ask("gen %s %d %d %s", d, key, version, shape)
	if err != nil || answer == "-" {
		return nil, err
	}
	return hex.DecodeString(answer)
}

// Versions returns the lowest and the highest version of a message that the classes know.
func (c *Checker) Versions(d Direction, key int16) (lowest, highest int16, err error) {
	answer, err := c.Ask("versions %s %d", d, key)
	if err == nil {
		_, err = fmt.Sscan(answer, &lowest, &highest)
	}
	return lowest, highest, err
}

func encode(body []byte) string {
	if len(body) == 0 {
		return "-"
	}
	return hex.EncodeToString(body)
}
