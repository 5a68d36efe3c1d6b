package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"baton/admin"
	"baton/config"
	"baton/internal/version"
	"baton/journal"
	"baton/metrics"
	"baton/statelog"
)

// node is a Baton that can be run. Run returns nil after ctx has ended and everything is closed.
type node interface {
	admin.Node
	Run(ctx context.Context) error
	// ServedAt says, before Run, at which address the admin endpoints are, empty if at none.
	ServedAt(addr string)
}

// parts is what a node is made of.
type parts struct {
	config  *config.Config
	load    func() (*config.Config, []config.Warning, error) // reads the configuration again, for Reload
	log     *zap.Logger
	level   zap.AtomicLevel
	metrics *metrics.Set
	states  *statelog.Writer
	journal *journal.Journal // nil: none is kept
}

// newNode makes a node; it starts nothing.
type newNode func(p parts) (node, error)

// exitInternal is the daemon's exit code for an error that is not the configuration's.
const exitInternal = 70

func (a *app) runCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "run", Short: "Run a Baton", Args: cobra.NoArgs,
		Long: "Runs until SIGTERM or SIGINT, which give the role up in order; a second one ends the process at once. SIGHUP reads\n" +
			"the configuration again, SIGUSR1 writes the status to the log. Exit codes: 0 stopped in order, 1 wrong configuration,\n" +
			"2 usage, 70 internal error.",
		Example: "  controller run --config baton.properties\n" +
			"  controller run --config /etc/kafka/server.properties --set node.id=2000001 \\\n" +
			"      --set listeners=PLAINTEXT://10.0.0.5:9290 --set controller.mode=active",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context()) },
	}
	a.configFlags(c)
	return c
}

func (a *app) run(ctx context.Context) error {
	cfg, warnings, err := a.load()
	if err != nil {
		a.warn(warnings)
		return err
	}
	log, level := newLogger(a.errs, cfg)
	defer log.Sync() //nolint:errcheck // stderr cannot be synced, and there is nobody left to tell
	for _, w := range warnings {
		logWarning(log, w)
	}
	states, err := statelog.Open(cfg.StateChangeLog)
	if err != nil {
		return err
	}
	defer states.Close() //nolint:errcheck // Err has been logged
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := version.Get()
	set, err := metrics.New(reg, labels(cfg), metrics.Build{Version: build.Version, Commit: build.Commit, Go: build.Go})
	if err != nil {
		return err
	}
	if a.newNode == nil {
		return admin.Refused("this build has no node to run")
	}
	n, err := a.newNode(parts{config: cfg, load: a.load, log: log, level: level, metrics: set, states: states, journal: newJournal(cfg, log, set)})
	if err != nil {
		return err
	}
	srv := admin.NewServer(n, admin.Options{Listener: cfg.AdminListener, Socket: cfg.AdminSocket, Gatherer: reg, Log: log.Named("admin"), Level: level})
	if err := srv.Listen(); err != nil {
		return err
	}
	n.ServedAt(srv.Addr())
	log.Info("starting", zap.String("version", build.Version), zap.String("commit", build.Commit), zap.Int("id", cfg.NodeID),
		zap.String("name", cfg.InstanceName), zap.String("mode", string(cfg.Mode)), zap.String("admin.listener", srv.Addr()), zap.String("admin.socket", cfg.AdminSocket))
	d := &daemon{node: n, admin: srv, log: log, states: states}
	if err := d.run(ctx, a.signals); err != nil {
		log.Error("stopped", zap.Error(err))
		return exitError(exitInternal)
	}
	log.Info("stopped")
	return nil
}

func newJournal(cfg *config.Config, log *zap.Logger, set *metrics.Set) *journal.Journal {
	if cfg.JournalDir == "" {
		return nil
	}
	return journal.New(journal.Options{Dir: cfg.JournalDir, MaxBytes: int64(cfg.JournalMaxBytes), Baton: int32(cfg.NodeID), //nolint:gosec // an id of 31 bits
		Log: log.Named("journal"), Metrics: set.Journal()})
}

func labels(cfg *config.Config) map[string]string {
	out := make(map[string]string, len(cfg.MetricsLabels))
	for _, l := range cfg.MetricsLabels {
		out[l.Name] = l.Value
	}
	return out
}

func logWarning(log *zap.Logger, w config.Warning) {
	level := zapcore.WarnLevel
	switch w.Severity {
	case config.SeverityInfo:
		level = zapcore.InfoLevel
	case config.SeverityError:
		level = zapcore.ErrorLevel
	}
	log.Log(level, "configuration", zap.String("warning", w.Text), zap.Strings("keys", w.Keys))
}

func newLogger(w io.Writer, cfg *config.Config) (*zap.Logger, zap.AtomicLevel) {
	level := zap.NewAtomicLevel()
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level.SetLevel(zapcore.InfoLevel) // config has checked it
	}
	ec := zap.NewProductionEncoderConfig()
	ec.EncodeTime = zapcore.ISO8601TimeEncoder
	ec.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewConsoleEncoder(ec)
	if cfg.LogFormat == "json" {
		encoder = zapcore.NewJSONEncoder(ec)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level)), level
}

// daemon is a node with what goes on around it.
type daemon struct {
	node   node
	admin  *admin.Server
	log    *zap.Logger
	states *statelog.Writer
}

// run runs the node until it ends or a signal ends it. The endpoints are served until then: a handover that a SIGTERM
// begins is still visible in them.
func (d *daemon) run(ctx context.Context, signals func() (<-chan os.Signal, func())) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	adminCtx, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAdmin()
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := d.admin.Run(adminCtx); err != nil {
			// The cluster is led all the same.
			d.log.Error("the admin endpoints have failed", zap.Error(err))
		}
	}()
	ended := make(chan error, 1)
	go func() { ended <- d.node.Run(ctx) }()
	received, unsubscribe := signals()
	defer unsubscribe()
	stopping := false
	for {
		select {
		case err := <-ended:
			stopAdmin()
			<-served
			return err
		case sig := <-received:
			switch sig {
			case syscall.SIGHUP:
				go d.reload(ctx)
			case syscall.SIGUSR1:
				go d.dump(ctx)
			default:
				if stopping {
					return fmt.Errorf("ended at once by a second %v", sig)
				}
				stopping = true
				d.log.Info("stopping; a second signal ends the process at once", zap.Stringer("signal", sig))
				stop()
			}
		}
	}
}

// attendTo bounds what a signal starts.
const attendTo = 30 * time.Second

func (d *daemon) reload(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, attendTo)
	defer cancel()
	if err := d.states.Reopen(); err != nil {
		d.log.Error("state-change log", zap.Error(err))
	}
	applied, restart, err := d.node.Reload(ctx, admin.Request{Who: "SIGHUP"})
	if err != nil {
		d.log.Error("the configuration was not reloaded; the old one stays in force", zap.Error(err))
		return
	}
	d.log.Info("configuration reloaded", zap.Strings("applied", applied), zap.Strings("needsRestart", restart))
}

func (d *daemon) dump(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, attendTo)
	defer cancel()
	if err := d.admin.LogState(ctx); err != nil {
		d.log.Error("state", zap.Error(err))
	}
}
