package zkstore

import (
	"errors"
	"net"
	"time"

	"go.uber.org/zap"
)

// Dialer opens the TCP connection to one server; tests put a proxy here.
type Dialer func(network, address string, timeout time.Duration) (net.Conn, error)

// Metrics receives what Kafka's ZooKeeperClient and SessionExpireListener count. It
// is called from the connection's own goroutines and must not block.
type Metrics interface {
	RequestLatency(d time.Duration)
	Disconnected()
	Expired()
	SyncConnected()
	AuthFailed()
	// Of a standby's image: a request for so many znodes, a frame that came in, a lost image; and whether a claim stood on one.
	ImageRequest(znodes int)
	ImageReceived(bytes int, event bool)
	ImageLost()
	Loaded(warm bool)
}

// Config says how to reach ZooKeeper. Servers are host:port without the chroot.
type Config struct {
	Servers        []string
	Chroot         string // "" or "/…" without a trailing slash
	SessionTimeout time.Duration
	ConnectTimeout time.Duration // for the first session; 0 = SessionTimeout
	Log            *zap.Logger
	MaxBatch       int // operations in one multi, the check not counted
	InFlight       int // multis under way at once; reads are 16 times as many
	Dialer         Dialer
	Metrics        Metrics
}

const (
	// maxRequest bounds a multi in bytes: a server drops the connection of a client that
	// sends more than jute.maxbuffer (0xfffff), which would look like a lost reply. Half of that costs nothing: batches are
	// far smaller but for states of hundreds of replicas.
	maxRequest = 512 << 10
	// maxZnode is the largest content that is written.
	maxZnode = 1_000_000
	// sendBuffer is what one outgoing packet may take in the client.
	sendBuffer = 4 << 20
	// receiveLimit lets a child list of very many topics in; Kafka's clients stop at 4 MiB
	// (KAFKA-13270), a server may be set higher.
	receiveLimit = 64 << 20
)

func (c Config) withDefaults() (Config, error) {
	if len(c.Servers) == 0 {
		return c, errors.New("zkstore: no ZooKeeper server given")
	}
	if c.Chroot == "/" {
		c.Chroot = ""
	}
	if c.Chroot != "" && (c.Chroot[0] != '/' || c.Chroot[len(c.Chroot)-1] == '/') {
		return c, errors.New("zkstore: chroot must start with a slash and not end with one: " + c.Chroot)
	}
	if c.SessionTimeout <= 0 {
		c.SessionTimeout = 18 * time.Second
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = c.SessionTimeout
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.MaxBatch <= 0 {
		c.MaxBatch = 250
	}
	if c.InFlight <= 0 {
		c.InFlight = 4
	}
	if c.Dialer == nil {
		c.Dialer = net.DialTimeout
	}
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	return c, nil
}

func (c Config) reads() int { return 16 * c.InFlight }

type noMetrics struct{}

func (noMetrics) RequestLatency(time.Duration) {}
func (noMetrics) Disconnected()                {}
func (noMetrics) Expired()                     {}
func (noMetrics) SyncConnected()               {}
func (noMetrics) AuthFailed()                  {}
func (noMetrics) ImageRequest(int)             {}
func (noMetrics) ImageReceived(int, bool)      {}
func (noMetrics) ImageLost()                   {}
func (noMetrics) Loaded(bool)                  {}
