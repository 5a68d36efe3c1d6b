package admin

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// Paths of the commands.
const (
	PathStatus   = "/api/v1/status"
	PathSnapshot = "/api/v1/snapshot"
	PathTakeover = "/api/v1/takeover"
	PathHandback = "/api/v1/handback"
	PathHandover = "/api/v1/handover"
	PathReload   = "/api/v1/reload"
	PathLogLevel = "/api/v1/log-level"
	PathState    = "/api/v1/state"
)

func (s *Server) handler(socket bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", s.livez)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /leader", s.roleIs(RoleActive))
	mux.HandleFunc("GET /standby", s.roleIs(RoleStandby))
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, VersionInfo()) })
	mux.HandleFunc("GET "+PathStatus, s.status)
	mux.HandleFunc("GET "+PathSnapshot, s.snapshot)
	if s.opts.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(s.opts.Gatherer, promhttp.HandlerOpts{ErrorLog: zap.NewStdLog(s.log)}))
	}
	s.journalRoutes(mux, socket)
	for path, f := range map[string]http.HandlerFunc{
		PathTakeover: s.takeover, PathHandback: s.handback, PathHandover: s.handover,
		PathReload: s.reload, PathLogLevel: s.logLevel, PathState: s.dumpState,
		PathMeasure: s.measure, PathElect: s.elect,
	} {
		mux.Handle("POST "+path, s.local(socket, f))
	}
	for path, f := range map[string]http.HandlerFunc{
		"/debug/pprof/": pprof.Index, "/debug/pprof/cmdline": pprof.Cmdline, "/debug/pprof/profile": pprof.Profile,
		"/debug/pprof/symbol": pprof.Symbol, "/debug/pprof/trace": pprof.Trace,
	} {
		mux.Handle(path, s.local(socket, f))
	}
	return mux
}

// local lets a request through that comes over the socket or from this host.
func (s *Server) local(socket bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := remote(r); !socket && why != "" {
			s.log.Warn("refused a command from afar", zap.String("from", r.RemoteAddr), zap.String("path", r.URL.Path), zap.String("why", why))
			writeError(w, http.StatusForbidden, Refused("%s is not served here: %s. Use the unix socket (admin.socket) on the host where this Baton runs", r.URL.Path, why))
			return
		}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		}
		next.ServeHTTP(w, r)
	})
}

// remote says why a request over TCP is not to be trusted as this host's own; empty if it is.
func remote(r *http.Request) string {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !a.Addr().Unmap().IsLoopback() {
		return "it came from " + r.RemoteAddr + ", and only local connections may change or profile anything"
	}
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(h) != "" {
			return "it came through a proxy (" + h + ")"
		}
	}
	if !loopbackName(r.Host) {
		return fmt.Sprintf("it is addressed to %q, not to a loopback address", r.Host)
	}
	// "none" is a person's own: typed into the address bar, as one does with /debug/pprof.
	if site := r.Header.Get("Sec-Fetch-Site"); r.Header.Get("Origin") != "" || site != "" && site != "none" && site != "same-origin" {
		return "it was sent by a web page"
	}
	if r.Method == http.MethodPost && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return "its Content-Type is not application/json"
	}
	return ""
}

func loopbackName(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

func (s *Server) livez(w http.ResponseWriter, _ *http.Request) {
	if !s.node.Alive() {
		http.Error(w, "the event loop makes no progress", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if ok, why := s.node.Ready(); !ok {
		http.Error(w, "not ready: "+why, http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

// roleIs answers 200 in one role only, which is what load balancers can ask for.
func (s *Server) roleIs(role string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		st, err := s.node.Status(r.Context())
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		case st.Instance.Role != role:
			http.Error(w, "this instance is "+st.Instance.Role, http.StatusServiceUnavailable)
		default:
			_, _ = fmt.Fprintln(w, st.Instance.Role)
		}
	}
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	st, err := s.node.Status(r.Context())
	if err != nil {
		writeError(w, http.StatusServiceUnavailable, err)
		return
	}
	writeJSON(w, http.StatusOK, st)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the client is gone: nobody left to tell
}

// failure is the body of an error's answer.
type failure struct {
	Error string `json:"error"`
	Kind  Kind   `json:"kind"`
}

func writeError(w http.ResponseWriter, code int, err error) {
	writeJSON(w, code, failure{err.Error(), KindOf(err)})
}
