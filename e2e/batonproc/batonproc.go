// Package batonproc builds Baton and runs it as a process of its own beside a real cluster.
package batonproc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/e2e/kafka"
)

// FirstID is the id of the first Baton in a test; the next ones count up from it.
const FirstID = 2_000_001

// Modes of a Baton.
const (
	Active  = "active"
	Standby = "standby"
)

// Options describe one Baton.
type Options struct {
	Cluster *kafka.Cluster
	ID      int    // FirstID
	Mode    string // Active
	// Config is the file given to --config; the first broker's own server.properties if empty.
	Config string
	// Sets are given as --set and win over what the harness sets.
	Sets map[string]string
	// Binary replaces the one that Build makes.
	Binary string
	// Environ are variables that the process gets besides ours, as KEY=value.
	Environ []string
}

// Baton is one Baton. Its process can be ended and started again; its addresses stay.
type Baton struct {
	*kafka.Process
	o         Options
	admin     string
	socket    string
	endpoints map[string]string
	sets      map[string]string
}

var build struct {
	once sync.Once
	path string
	err  error
}

// Build builds cmd/controller, once for a test binary, and returns where it is. BATON_RACE=1 builds it with the
// race detector.
func Build(ctx context.Context) (string, error) {
	build.once.Do(func() { build.path, build.err = goBuild(ctx) })
	return build.path, build.err
}

func goBuild(ctx context.Context) (string, error) {
	root, err := kafka.RepoRoot()
	if err != nil {
		return "", err
	}
	name, args := "controller", []string(nil)
	if os.Getenv("BATON_RACE") == "1" {
		name, args = "controller-race", []string{"-race"}
	}
	return compile(ctx, root, name, args...)
}

// compile builds the cmd/controller of a source tree and keeps it in the cache under a name.
func compile(ctx context.Context, tree, name string, flags ...string) (string, error) {
	cache, err := kafka.CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// Another test binary may be running the old one: the rename leaves it its file.
	tmp := filepath.Join(dir, name+"."+strconv.Itoa(os.Getpid()))
	defer func() { _ = os.Remove(tmp) }()
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build"}, flags...), "-o", tmp, "./cmd/controller")...)
	cmd.Dir = tree
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/controller: %w\n%s", err, out)
	}
	path := filepath.Join(dir, name)
	return path, os.Rename(tmp, path)
}

// Start runs a Baton for a test. It does not wait for anything; see WaitActive and WaitStandby.
func Start(t testing.TB, o Options) *Baton {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	b, err := New(ctx, t, o)
	if err != nil {
		t.Fatalf("start baton: %v", err)
	}
	return b
}

// New runs a Baton that lives until env ends.
func New(ctx context.Context, env kafka.Env, o Options) (*Baton, error) {
	if err := o.complete(ctx); err != nil {
		return nil, err
	}
	b := &Baton{o: o, endpoints: map[string]string{}}
	if err := b.layOut(env); err != nil {
		return nil, err
	}
	logs, err := kafka.LogDir(env)
	if err != nil {
		return nil, err
	}
	name := "baton-" + strconv.Itoa(o.ID)
	argv := append([]string{o.Binary, "run"}, b.ConfigArgs()...)
	if len(o.Environ) > 0 {
		argv = slices.Concat([]string{"env"}, o.Environ, argv) // it becomes the Baton, under the same pid
	}
	b.Process, err = kafka.StartProcess(env, name, filepath.Join(logs, name+".log"), argv...)
	return b, err
}

func (o *Options) complete(ctx context.Context) (err error) {
	if o.Cluster == nil {
		return errors.New("no cluster to run beside")
	}
	if o.ID == 0 {
		o.ID = FirstID
	}
	if o.Mode == "" {
		o.Mode = Active
	}
	if o.Config == "" {
		o.Config = o.Cluster.Broker(1).PropertiesPath()
	}
	if o.Binary == "" {
		o.Binary, err = Build(ctx)
	}
	return err
}

// layOut finds the Baton's own addresses. Its file may be a broker's, so everything that is the broker's own there
// has to be set anew.
func (b *Baton) layOut(env kafka.Env) error {
	names := b.o.Cluster.Listeners()
	ports, err := kafka.ReservePorts(env, len(names)+1)
	if err != nil {
		return err
	}
	// A unix socket's path is limited to some hundred bytes; a test's own directory may be longer.
	dir, err := os.MkdirTemp("", "baton")
	if err != nil {
		return err
	}
	env.Cleanup(func() { _ = os.RemoveAll(dir) })
	b.socket = filepath.Join(dir, "admin.sock")
	b.admin = "127.0.0.1:" + strconv.Itoa(ports[len(names)])
	var listeners []string
	for i, name := range names {
		b.endpoints[name] = "127.0.0.1:" + strconv.Itoa(ports[i])
		listeners = append(listeners, name+"://"+b.endpoints[name])
	}
	b.sets = map[string]string{
		"node.id":              strconv.Itoa(b.o.ID),
		"controller.mode":      b.o.Mode,
		"listeners":            strings.Join(listeners, ","),
		"advertised.listeners": strings.Join(listeners, ","),
		"admin.listener":       b.admin,
		"admin.socket":         b.socket,
		"journal.dir":          b.JournalDir(),
	}
	for k, v := range b.o.Sets {
		b.sets[k] = v
	}
	return nil
}

// ConfigArgs are the arguments that carry the Baton's configuration.
func (b *Baton) ConfigArgs() []string {
	args := []string{"--config", b.o.Config}
	keys := make([]string, 0, len(b.sets))
	for k := range b.sets {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		args = append(args, "--set", k+"="+b.sets[k])
	}
	return args
}

// ID is the Baton's node id.
func (b *Baton) ID() int { return b.o.ID }

// Addr is the Baton's endpoint on a listener; without a name, on the one for clients.
func (b *Baton) Addr(listener ...string) string {
	if len(listener) == 0 {
		listener = b.o.Cluster.Listeners()
	}
	return b.endpoints[listener[0]]
}

// AdminURL is the address of /metrics, /livez and /readyz.
func (b *Baton) AdminURL() string { return "http://" + b.admin }

// AdminSocket is the path of the socket for commands.
func (b *Baton) AdminSocket() string { return b.socket }

// JournalDir is where the Baton keeps its journal, beside its socket.
func (b *Baton) JournalDir() string { return filepath.Join(filepath.Dir(b.socket), "journal") }

// Get asks the admin listener.
func (b *Baton) Get(ctx context.Context, path string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.AdminURL()+path, nil)
	if err != nil {
		return 0, "", err
	}
	// No kept connection: it would outlive a paused or killed Baton.
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext,
	}, Timeout: 5 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(all), err
}

// WaitReady waits until /readyz says yes.
func (b *Baton) WaitReady(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	return kafka.Eventually(ctx, b.name()+" to be ready", func(ctx context.Context) (bool, error) {
		if !b.Running() {
			return false, fmt.Errorf("%w: it has ended with code %d", kafka.ErrHopeless, b.ExitCode())
		}
		status, body, err := b.Get(ctx, "/readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, body)
		}
		return status == http.StatusOK, err
	})
}

// WaitActive waits until /controller names this Baton.
func (b *Baton) WaitActive(ctx context.Context) error {
	ctx, cancel := b.whileRunning(ctx)
	defer cancel()
	_, err := b.o.Cluster.WaitController(ctx, func(id int) bool { return id == b.o.ID })
	return b.explain(err)
}

// WaitStandby waits until this Baton is a member and somebody else, or nobody, is the controller.
func (b *Baton) WaitStandby(ctx context.Context) error {
	ctx, cancel := b.whileRunning(ctx)
	defer cancel()
	err := b.o.Cluster.Until(ctx, b.name()+" to be a standby", func(r *kafka.Reads) (string, error) {
		member, err := r.Get("/baton/members/" + strconv.Itoa(b.o.ID))
		if err != nil || member == nil {
			return "it is not a member", err
		}
		holder, held, err := r.Controller()
		if err == nil && held && holder.BrokerID == b.o.ID {
			return "it is the controller", nil
		}
		return "", err
	})
	return b.explain(err)
}

// whileRunning ends a waiting that a dead process cannot fulfil.
func (b *Baton) whileRunning(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := limit(ctx)
	exited := b.Exited()
	go func() {
		select {
		case <-exited:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (b *Baton) name() string { return "baton " + strconv.Itoa(b.o.ID) }

func (b *Baton) explain(err error) error {
	if err == nil {
		return nil
	}
	state := "is running"
	if !b.Running() {
		state = fmt.Sprintf("ended with code %d", b.ExitCode())
	}
	return fmt.Errorf("%s, which %s (log %s): %w", b.name(), state, b.LogPath(), err)
}

func limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Minute)
}

// Restart ends the process, politely if it still runs, and starts it again.
func (b *Baton) Restart(ctx context.Context) error {
	if err := b.Terminate(ctx); err != nil {
		return err
	}
	return b.Start()
}

// Result is what a command left.
type Result struct {
	Stdout, Stderr string
	ExitCode       int
}

// CLI runs another verb of the binary with this Baton's configuration, as an operator on its machine would.
func (b *Baton) CLI(ctx context.Context, verb string, args ...string) (Result, error) {
	return Run(ctx, b.o.Binary, append(append([]string{verb}, b.ConfigArgs()...), args...)...)
}

// Run runs the binary to its end. The error is about running it; what the command thinks is in the exit code.
func Run(ctx context.Context, binary string, args ...string) (Result, error) {
	return RunWith(ctx, nil, binary, args...)
}

// RunWith is Run with more variables.
func RunWith(ctx context.Context, environ []string, binary string, args ...string) (Result, error) {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), environ...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := Result{Stdout: stdout.String(), Stderr: stderr.String(), ExitCode: -1}
	if cmd.ProcessState != nil {
		r.ExitCode = cmd.ProcessState.ExitCode()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		err = nil
	}
	return r, err
}
