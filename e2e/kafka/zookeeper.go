package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ZooKeeperOptions describe an ensemble. The zero value is one server.
type ZooKeeperOptions struct {
	Version      string        // the Kafka version whose ZooKeeper is run; DefaultVersion if empty
	Servers      int           // 1, or 3 for a quorum
	Tick         time.Duration // 500 ms: sessions then may be as short as 1 s
	MaxSession   time.Duration // 60 s
	HeapMB       int           // 128
	SnapCount    int           // transactions a snapshot, ZooKeeper's own default if 0
	ExtraConfig  map[string]string
	Shipped      bool // the JVM's flags are those of Kafka's own start scripts
	classpath    string
	logDirectory string
}

// ZooKeeper is an ensemble of one or three servers.
type ZooKeeper struct {
	Servers []*ZooKeeperServer
}

// ZooKeeperServer is one server, a process of its own.
type ZooKeeperServer struct {
	*Process
	id      int
	port    int
	dataDir string
}

// StartZooKeeper starts an ensemble and waits until it serves. It ends with env.
func StartZooKeeper(ctx context.Context, env Env, o ZooKeeperOptions) (*ZooKeeper, error) {
	if err := o.complete(ctx, env); err != nil {
		return nil, err
	}
	ports, err := ReservePorts(env, 3*o.Servers)
	if err != nil {
		return nil, err
	}
	z := &ZooKeeper{}
	for id := 1; id <= o.Servers; id++ {
		s, err := o.startServer(env, id, ports)
		if err != nil {
			return nil, err
		}
		z.Servers = append(z.Servers, s)
	}
	return z, z.WaitServing(ctx)
}

func (o *ZooKeeperOptions) complete(ctx context.Context, env Env) (err error) {
	setDefault(&o.Version, DefaultVersion)
	setDefault(&o.Servers, 1)
	setDefault(&o.Tick, 500*time.Millisecond)
	setDefault(&o.MaxSession, time.Minute)
	setDefault(&o.HeapMB, 128)
	if o.Servers != 1 && o.Servers != 3 {
		return fmt.Errorf("%d ZooKeeper servers: want 1 or 3", o.Servers)
	}
	if o.classpath == "" {
		if o.classpath, err = Fetch(ctx, o.Version); err != nil {
			return err
		}
	}
	if o.logDirectory == "" {
		o.logDirectory, err = LogDir(env)
	}
	return err
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

func (o *ZooKeeperOptions) startServer(env Env, id int, ports []int) (*ZooKeeperServer, error) {
	dir := filepath.Join(env.TempDir(), "zookeeper-"+strconv.Itoa(id))
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	port := ports[id-1]
	ticks := func(d time.Duration) string { return strconv.Itoa(max(1, int(d/o.Tick))) }
	conf := properties{
		"tickTime":               strconv.Itoa(int(o.Tick.Milliseconds())),
		"initLimit":              ticks(10 * time.Second),
		"syncLimit":              ticks(4 * time.Second),
		"maxSessionTimeout":      strconv.Itoa(int(o.MaxSession.Milliseconds())),
		"dataDir":                data,
		"clientPort":             strconv.Itoa(port),
		"clientPortAddress":      "127.0.0.1",
		"maxClientCnxns":         "0",
		"4lw.commands.whitelist": "*",
		"admin.enableServer":     "false",
	}
	if o.Servers > 1 {
		for i := 1; i <= o.Servers; i++ {
			conf["server."+strconv.Itoa(i)] = fmt.Sprintf("127.0.0.1:%d:%d", ports[o.Servers+i-1], ports[2*o.Servers+i-1])
		}
		if err := os.WriteFile(filepath.Join(data, "myid"), []byte(strconv.Itoa(id)), 0o644); err != nil {
			return nil, err
		}
	}
	conf.merge(o.ExtraConfig)
	file := filepath.Join(dir, "zoo.cfg")
	if err := conf.write(file); err != nil {
		return nil, err
	}
	log4j, err := writeLog4j(dir, "INFO", nil)
	if err != nil {
		return nil, err
	}
	// Without forceSync a transaction survives a killed process, which is all that tests do to ZooKeeper, and the
	// machine's disk does not become the bottleneck.
	props := []string{"-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=1024"}
	if o.SnapCount > 0 {
		props = append(props, "-Dzookeeper.snapCount="+strconv.Itoa(o.SnapCount))
	}
	main := append(props, "org.apache.zookeeper.server.quorum.QuorumPeerMain", file)
	name := "zookeeper-" + strconv.Itoa(id)
	p, err := StartProcess(env, name, filepath.Join(o.logDirectory, name+".log"),
		javaCommand(jvm(o.HeapMB, o.Shipped), log4j, o.classpath, main...)...)
	if err != nil {
		return nil, err
	}
	return &ZooKeeperServer{Process: p, id: id, port: port, dataDir: data}, nil
}

// Addrs are the servers' client addresses.
func (z *ZooKeeper) Addrs() []string {
	var addrs []string
	for _, s := range z.Servers {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// ConnectString is a zookeeper.connect without a chroot.
func (z *ZooKeeper) ConnectString() string { return strings.Join(z.Addrs(), ",") }

// TxnLogDirs are the directories with the servers' transaction logs.
func (z *ZooKeeper) TxnLogDirs() []string {
	var dirs []string
	for _, s := range z.Servers {
		dirs = append(dirs, s.TxnLogDir())
	}
	return dirs
}

// Leader returns the server that leads; a lone server does.
func (z *ZooKeeper) Leader(ctx context.Context) (*ZooKeeperServer, error) {
	var errs []error
	for _, s := range z.Servers {
		mode, err := s.Mode(ctx)
		if mode == "leader" || mode == "standalone" {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(append(errs, errors.New("no ZooKeeper server leads"))...)
}

// Followers returns the servers that follow.
func (z *ZooKeeper) Followers(ctx context.Context) []*ZooKeeperServer {
	var followers []*ZooKeeperServer
	for _, s := range z.Servers {
		if mode, err := s.Mode(ctx); err == nil && mode == "follower" {
			followers = append(followers, s)
		}
	}
	return followers
}

// WaitServing waits until every server whose process runs answers as a member of a working ensemble.
func (z *ZooKeeper) WaitServing(ctx context.Context) error {
	for _, s := range z.Servers {
		if !s.Running() {
			continue
		}
		if err := s.WaitServing(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop terminates all servers.
func (z *ZooKeeper) Stop(ctx context.Context) error {
	var errs []error
	for _, s := range z.Servers {
		if s.Process != nil { // an external one is not ours to stop
			errs = append(errs, s.Terminate(ctx))
		}
	}
	return errors.Join(errs...)
}

// ID is the server's myid.
func (s *ZooKeeperServer) ID() int { return s.id }

// Addr is the server's client address.
func (s *ZooKeeperServer) Addr() string { return loopback(s.port) }

// TxnLogDir is where the server keeps its transaction log.
func (s *ZooKeeperServer) TxnLogDir() string { return filepath.Join(s.dataDir, "version-2") }

// Restart ends the server, politely, if it still runs, starts it again and waits until it serves.
func (s *ZooKeeperServer) Restart(ctx context.Context) error {
	if err := s.Terminate(ctx); err != nil {
		return err
	}
	if err := s.Start(); err != nil {
		return err
	}
	return s.WaitServing(ctx)
}

// WaitServing waits until the server is the leader, a follower, or alone.
func (s *ZooKeeperServer) WaitServing(ctx context.Context) error {
	ctx, cancel := deadline(ctx, time.Minute)
	defer cancel()
	return Eventually(ctx, "ZooKeeper "+s.Addr()+" to serve", func(ctx context.Context) (bool, error) {
		if !s.Running() {
			return false, s.ended()
		}
		mode, err := s.Mode(ctx)
		return mode != "", err
	})
}

// Mode is what srvr says: leader, follower or standalone.
func (s *ZooKeeperServer) Mode(ctx context.Context) (string, error) {
	answer, err := s.FourLetterWord(ctx, "srvr")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(answer) {
		if mode, ok := strings.CutPrefix(line, "Mode: "); ok {
			return strings.TrimSpace(mode), nil
		}
	}
	return "", fmt.Errorf("ZooKeeper %s is not serving: %s", s.Addr(), strings.TrimSpace(answer))
}

// FourLetterWord asks the server one of ZooKeeper's four-letter words.
func (s *ZooKeeperServer) FourLetterWord(ctx context.Context, word string) (string, error) {
	d := net.Dialer{Timeout: 2 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	// A paused server accepts and never answers.
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}
