package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// listenSocket opens the unix socket at path with mode 0600. A socket left behind by a process that died is replaced;
// one on which somebody answers, and anything that is not a socket, is not touched.
func listenSocket(path string) (net.Listener, error) {
	if err := clearStale(path); err != nil {
		return nil, err
	}
	// The mode must be right from the first moment: between listen and chmod anybody could connect.
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("admin.socket: %w", err)
	}
	return l, nil
}

func clearStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("admin.socket: %w", err)
	case info.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("admin.socket: %s exists and is not a socket; it is left alone", path)
	}
	c, err := net.DialTimeout("unix", path, 2*time.Second)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("admin.socket: another process answers on %s; is this instance running already?", path)
	}
	// Only a refused connection proves that nobody listens: a full backlog or a missing permission does not.
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("admin.socket: cannot tell whether %s is in use: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("admin.socket: %w", err)
	}
	return nil
}
