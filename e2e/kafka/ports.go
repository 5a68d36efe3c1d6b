package kafka

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Ports are taken below the range from which the kernel picks ports for outgoing connections: there, a client's
// connection could take a broker's port while that broker is down.
const (
	firstPort = 15000
	lastPort  = 32000
)

var heldPorts sync.Map // port -> *os.File

// ReservePorts returns n free loopback ports that no other run on this machine is given until env ends.
func ReservePorts(env Env, n int) ([]int, error) {
	dir := filepath.Join(os.TempDir(), "baton-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	var ports []int
	for range 10 * (lastPort - firstPort) {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		if reservePort(env, dir, port) {
			ports = append(ports, port)
		}
	}
	return nil, fmt.Errorf("found %d of %d free loopback ports", len(ports), n)
}

func reservePort(env Env, dir string, port int) bool {
	if _, taken := heldPorts.Load(port); taken {
		return false
	}
	f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return false
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		_ = f.Close()
		return false
	}
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		_ = f.Close()
		return false
	}
	_ = l.Close()
	heldPorts.Store(port, f)
	env.Cleanup(func() {
		heldPorts.Delete(port)
		_ = f.Close()
	})
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
