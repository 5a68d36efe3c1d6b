package admin

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSocketLeftBehindIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as a killed process leaves it
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	n, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestSocketInUseIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // a test's end
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "another process answers") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket is gone: %v", err)
	}
}

func TestFileInTheWayIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("error %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestListenFailsTogether(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // a test's end
	path := filepath.Join(t.TempDir(), "b.sock")
	s := NewServer(&fakeNode{}, Options{Socket: path, Listener: l.Addr().String()})
	if err := s.Listen(); err == nil || !strings.Contains(err.Error(), "admin.listener") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket stayed: %v", err)
	}
}
