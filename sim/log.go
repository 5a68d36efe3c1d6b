package sim

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// traceLogger writes a Baton's log into the trace.
func traceLogger(t *trace, who string) *zap.Logger {
	ec := zap.NewProductionEncoderConfig()
	ec.TimeKey = ""
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(ec), traceWriter{t, who}, zapcore.DebugLevel))
}

type traceWriter struct {
	t   *trace
	who string
}

func (w traceWriter) Write(b []byte) (int, error) {
	w.t.add("%s %s", w.who, b[:max(len(b)-1, 0)])
	return len(b), nil
}

func (traceWriter) Sync() error { return nil }
