package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"baton/internal/version"
)

// Options are what a Server is made of. Listener and Socket are addresses; an empty one is off.
type Options struct {
	Listener string // host:port
	Socket   string // path
	Gatherer prometheus.Gatherer
	Log      *zap.Logger
	Level    zap.AtomicLevel
}

// Server serves the endpoints of one Node.
type Server struct {
	opts Options
	node Node
	log  *zap.Logger
	// running holds the name of the command that runs; a command that finds one is refused.
	mu      sync.Mutex
	running string
	taking  chan struct{} // slots: snapshots being taken and read
	// reading and streaming are slots of readers of the journals.
	reading, streaming chan struct{}
	stopping           context.Context // ends when Run is to end
	stop               context.CancelFunc

	listeners map[string]net.Listener
}

// NewServer makes a Server; nothing is opened before Listen.
func NewServer(node Node, opts Options) *Server {
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	if opts.Level == (zap.AtomicLevel{}) {
		opts.Level = zap.NewAtomicLevel()
	}
	stopping, stop := context.WithCancel(context.Background())
	return &Server{stopping: stopping, stop: stop, opts: opts, node: node, log: opts.Log,
		taking: make(chan struct{}, 4), reading: make(chan struct{}, maxReading), streaming: make(chan struct{}, maxStreaming), listeners: map[string]net.Listener{},
	}
}

// Listen opens what is configured, so that a taken port or socket is found before anything else starts.
func (s *Server) Listen() error {
	if s.opts.Socket != "" {
		l, err := listenSocket(s.opts.Socket)
		if err != nil {
			return err
		}
		s.listeners["unix"] = l
	}
	if s.opts.Listener != "" {
		l, err := net.Listen("tcp", s.opts.Listener)
		if err != nil {
			s.close()
			return fmt.Errorf("admin.listener: %w", err)
		}
		s.listeners["tcp"] = l
	}
	return nil
}

// Addr is the address bound by admin.listener, empty if it is off.
func (s *Server) Addr() string {
	if l := s.listeners["tcp"]; l != nil {
		return l.Addr().String()
	}
	return ""
}

func (s *Server) close() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
}

// Run serves until ctx ends, then lets what runs end for a moment. Listen must have been called.
func (s *Server) Run(ctx context.Context) error {
	errs := make(chan error, len(s.listeners))
	var servers []*http.Server
	for kind, l := range s.listeners {
		srv := &http.Server{
			Handler: s.handler(kind == "unix"), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
			ErrorLog: zap.NewStdLog(s.log),
			// Streams of progress take as long as the command does, so there is no WriteTimeout.
		}
		servers = append(servers, srv)
		go func() { errs <- srv.Serve(l) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	s.stop()
	stopped, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	for _, srv := range servers {
		if e := srv.Shutdown(stopped); e != nil {
			_ = srv.Close()
		}
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// Handler serves the endpoints for connections that are not the unix socket's.
func (s *Server) Handler() http.Handler { return s.handler(false) }

// VersionInfo is the body of /version.
func VersionInfo() version.Info { return version.Get() }
