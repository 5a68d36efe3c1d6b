package dev

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Screen is where the story goes: a line each, with the time since the beginning. Safe for use by many goroutines.
type Screen struct {
	mu    sync.Mutex
	out   io.Writer
	color bool
	start time.Time
}

// NewScreen writes to out, in colours if color.
func NewScreen(out io.Writer, color bool) *Screen {
	return &Screen{out: out, color: color, start: time.Now()}
}

type paint string

const (
	plain  paint = ""
	bold   paint = "1"
	red    paint = "31"
	green  paint = "32"
	yellow paint = "33"
	cyan   paint = "36"
)

func (s *Screen) paint(p paint, text string) string {
	if !s.color || p == plain {
		return text
	}
	return "\x1b[" + string(p) + "m" + text + "\x1b[0m"
}

func (s *Screen) line(p paint, indent, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := time.Since(s.start)
	_, _ = fmt.Fprintf(s.out, "%02d:%04.1f  %s%s\n", int(d.Minutes()), (d % time.Minute).Seconds(), indent, s.paint(p, text))
}

// Say prints a step of the story.
func (s *Screen) Say(format string, args ...any) { s.line(plain, "", fmt.Sprintf(format, args...)) }

// Title prints what a chapter is about.
func (s *Screen) Title(format string, args ...any) {
	s.mu.Lock()
	_, _ = fmt.Fprintln(s.out)
	s.mu.Unlock()
	s.line(bold, "", fmt.Sprintf(format, args...))
}

// Detail prints what happens on the way.
func (s *Screen) Detail(p paint, format string, args ...any) {
	s.line(p, "  ", fmt.Sprintf(format, args...))
}

// Text prints as is.
func (s *Screen) Text(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintln(s.out, strings.TrimRight(text, "\n"))
}

// Prompt prints without a new line.
func (s *Screen) Prompt(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprint(s.out, s.paint(bold, text))
}

func join(parts []string) string { return strings.Join(parts, ", ") }
