package server

import (
	"errors"
	"net"
	"syscall"
)

// stillOpen reports whether an idle backend connection can be used. The broker may
// have closed it meanwhile (connections.max.idle.ms, a restart); finding that out only
// after having sent a request would leave its outcome unknown. Bytes that nobody asked
// for make it useless too.
func stillOpen(nc net.Conn) bool {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	open := false
	var one [1]byte
	err = raw.Read(func(fd uintptr) bool {
		_, _, rerr := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = errors.Is(rerr, syscall.EAGAIN)
		return true
	})
	return err == nil && open
}
