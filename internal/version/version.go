// Package version says which build this is, from what the Go toolchain stamped into the binary.
package version

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// number is set by the linker (-ldflags "-X baton/internal/version.number=1.2.3").
var number = "dev"

// Info is one build.
type Info struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Modified bool   `json:"modified"` // built from a tree with uncommitted changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Get returns this binary's.
func Get() Info {
	out := Info{Version: number, Commit: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return out
	}
	for _, s := range b.Settings {
		switch s.Key {
		case "vcs.revision":
			out.Commit = cmp.Or(s.Value, out.Commit)
		case "vcs.modified":
			out.Modified = s.Value == "true"
		}
	}
	return out
}
