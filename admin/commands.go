package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Line is one line of a command's answer. Either Progress is set, or it is the last one: Error and Kind say what went
// wrong, otherwise Result has the outcome.
type Line struct {
	Progress string          `json:"progress,omitempty"`
	Done     bool            `json:"done,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Error    string          `json:"error,omitempty"`
	Kind     Kind            `json:"kind,omitempty"`
}

// body is what commands are sent; each uses some of it.
type body struct {
	Request
	To    *int32 `json:"to,omitempty"`    // handover
	Level string `json:"level,omitempty"` // log-level

	Question *Question `json:"question,omitempty"` // measure
	Choice   *Choice   `json:"choice,omitempty"`   // elect
}

// HandbackResult is Handback as it travels.
type HandbackResult struct {
	Broker int32 `json:"broker"`
	Epoch  int32 `json:"controllerEpoch"`
	TookMS int64 `json:"tookMs"`
}

// ReloadResult is the outcome of a reload.
type ReloadResult struct {
	Applied      []string `json:"applied"`
	NeedsRestart []string `json:"needsRestart"`
}

// LevelResult is the outcome of a change of the log level.
type LevelResult struct {
	Was string `json:"was"`
	Now string `json:"now"`
}

func (s *Server) takeover(w http.ResponseWriter, r *http.Request) {
	s.command(w, r, "takeover", func(ctx context.Context, b body, progress func(string)) (any, error) {
		return nil, s.node.Takeover(ctx, b.Request, progress)
	})
}

func (s *Server) handback(w http.ResponseWriter, r *http.Request) {
	s.command(w, r, "handback", func(ctx context.Context, b body, progress func(string)) (any, error) {
		h, err := s.node.Handback(ctx, b.Request, progress)
		return HandbackResult{h.Broker, h.Epoch, h.Took.Milliseconds()}, err
	})
}

func (s *Server) handover(w http.ResponseWriter, r *http.Request) {
	s.command(w, r, "handover", func(ctx context.Context, b body, progress func(string)) (any, error) {
		to := AnyMember
		if b.To != nil {
			to = *b.To
		}
		return nil, s.node.Handover(ctx, to, b.Request, progress)
	})
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	s.command(w, r, "reload", func(ctx context.Context, b body, _ func(string)) (any, error) {
		applied, restart, err := s.node.Reload(ctx, b.Request)
		return ReloadResult{orEmpty(applied), orEmpty(restart)}, err
	})
}

func (s *Server) logLevel(w http.ResponseWriter, r *http.Request) {
	s.command(w, r, "log-level", func(_ context.Context, b body, _ func(string)) (any, error) {
		var level zapcore.Level
		if err := level.UnmarshalText([]byte(strings.ToLower(b.Level))); err != nil || b.Level == "" || level > zapcore.ErrorLevel {
			return nil, Usage("log level %q: expected debug, info, warn or error", b.Level)
		}
		was := s.opts.Level.Level()
		s.opts.Level.SetLevel(level)
		return LevelResult{was.String(), level.String()}, nil
	})
}

func (s *Server) dumpState(w http.ResponseWriter, r *http.Request) {
	s.command(w, r, "state", func(ctx context.Context, _ body, _ func(string)) (any, error) {
		return nil, s.LogState(ctx)
	})
}

// LogState writes the whole status to the log, for SIGUSR1 and for the endpoint.
func (s *Server) LogState(ctx context.Context) error {
	st, err := s.node.Status(ctx)
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	text, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	s.log.Info("state", zap.ByteString("status", text))
	return nil
}

// command reads the body, makes sure that no other command runs, and streams progress and outcome.
func (s *Server) command(w http.ResponseWriter, r *http.Request, name string, do func(context.Context, body, func(string)) (any, error)) {
	b, err := readBody(r.Body)
	if err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	if other := s.begin(name); other != "" {
		writeError(w, http.StatusConflict, kindf(KindBusy, "%s is running; try again when it has ended", other))
		return
	}
	log := s.log.With(zap.String("command", name), zap.String("who", b.Who), zap.String("why", b.Why))
	log.Info("command")
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := &stream{enc: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	result, err := func() (any, error) {
		// Before the last line is out: who has read it may send the next command.
		defer s.end()
		return do(r.Context(), b, func(text string) { out.write(Line{Progress: text}) })
	}()
	last := Line{Done: true}
	if err != nil {
		last.Error, last.Kind = err.Error(), KindOf(err)
		log.Warn("command failed", zap.Error(err))
	} else if result != nil {
		last.Result, err = json.Marshal(result)
		if err != nil {
			last.Error, last.Kind = err.Error(), KindFailed
		}
	}
	out.write(last)
}

func readBody(r io.Reader) (body, error) {
	var b body
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil && !errors.Is(err, io.EOF) {
		return b, Usage("the body is not what was expected: %w", err)
	}
	return b, nil
}

// begin reserves the right to run; it returns the name of the command that has it.
func (s *Server) begin(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != "" {
		return s.running
	}
	s.running = name
	return ""
}

func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = ""
}
