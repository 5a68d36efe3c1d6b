// Package javaclient drives Kafka's own Java clients. One JVM serves a whole test.
package javaclient

import (
	_ "embed"
	"strings"
	"testing"

	"baton/e2e/javaprog"
	"baton/e2e/kafka"
)

//go:embed Client.java
var clientSource []byte

//go:embed Transactions.java
var transactionsSource []byte

// Client is a running JVM; every question makes a Java client of its own.
type Client struct{ *javaprog.Program }

// New starts the JVM with the clients of kafka.DefaultVersion.
func New(t testing.TB) *Client {
	t.Helper()
	return &Client{javaprog.Start(t, kafka.DefaultVersion, "Client", map[string][]byte{
		"Client.java": clientSource, "Transactions.java": transactionsSource,
	})}
}

// Do asks a verb of Client.java with one bootstrap address or several joined by commas. An error has the exception's
// class and message.
func (c *Client) Do(verb, bootstrap string, args ...string) (string, error) {
	return c.Ask("%s", strings.Join(append([]string{verb, bootstrap}, args...), " "))
}
