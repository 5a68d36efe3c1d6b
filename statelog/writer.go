package statelog

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"baton/planner"
)

// Writer appends lines to state.change.log in the layout of Kafka's log4j file. The zero value and nil write nothing.
// Methods may be called from any goroutine; the first error stays (Err), because a full disk must not stop a
// controller nor fill its own log with the same complaint.
type Writer struct {
	mu   sync.Mutex
	path string
	out  io.WriteCloser
	now  func() time.Time
	err  error
}

// Open opens the file at path for appending; "" gives a Writer that writes nothing.
func Open(path string) (*Writer, error) {
	w := &Writer{path: path, now: time.Now}
	if path == "" {
		return w, nil
	}
	return w, w.Reopen()
}

// New writes to out with times from now; for tests and for other sinks than files.
func New(out io.WriteCloser, now func() time.Time) *Writer { return &Writer{out: out, now: now} }

// Reopen opens the file anew, after a log rotation. The old one stays in use if that fails.
func (w *Writer) Reopen() error {
	if w == nil || w.path == "" {
		return nil
	}
	f, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("state.change.log: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out != nil {
		_ = w.out.Close()
	}
	w.out, w.err = f, nil
	return nil
}

// Note writes a note's line, if it has one.
func (w *Writer) Note(i Identity, n planner.Note) {
	if text := Note(i, n); text != "" && w.on() {
		w.write("INFO", text)
	}
}

// Sending writes a control request's line.
func (w *Writer) Sending(i Identity, r planner.Request) {
	if w.on() {
		w.write("INFO", Sending(i, r))
	}
}

// Answered writes the line of a broker's answer.
func (w *Writer) Answered(i Identity, kind planner.RequestKind, a planner.BrokerReplied) {
	if w.on() {
		w.write("TRACE", Answered(i, kind, a))
	}
}

// on reports whether lines are wanted at all: formatting a request of 10,000 partitions for nobody costs the loop.
func (w *Writer) on() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out != nil
}

func (w *Writer) write(level, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == nil {
		return
	}
	at := w.now().Format("2006-01-02 15:04:05,000")
	if _, err := fmt.Fprintf(w.out, "[%s] %s %s (state.change.logger)\n", at, level, text); err != nil && w.err == nil {
		w.err = fmt.Errorf("state.change.log: %w", err)
	}
}

// Err is the first error since the file was opened.
func (w *Writer) Err() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Close closes the file.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == nil {
		return nil
	}
	err := w.out.Close()
	w.out = nil
	return err
}
