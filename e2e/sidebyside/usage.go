package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"baton/e2e/kafka"
)

// usage is what processes have used so far.
type usage struct {
	process               process
	zk                    *kafka.ZooKeeper
	controller, zooKeeper time.Duration // of CPU
	requests              int64         // that ZooKeeper got
	logged                int64         // bytes that the process has printed
}

// used begins to count; the process's peak of memory begins anew, too.
func used(ctx context.Context, p process, zk *kafka.ZooKeeper) (usage, error) {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.pid), []byte("5"), 0); err != nil { // proc(5)
		return usage{}, err
	}
	u := usage{process: p, zk: zk}
	if p.baton != nil {
		info, err := os.Stat(p.baton.LogPath())
		if err != nil {
			return u, err
		}
		u.logged = info.Size()
	}
	err := u.count(ctx)
	return u, err
}

func (u *usage) count(ctx context.Context) (err error) {
	if u.controller, err = cpu(u.process.pid); err != nil {
		return err
	}
	for _, s := range u.zk.Servers {
		c, err := cpu(s.PID())
		if err != nil {
			return err
		}
		u.zooKeeper += c
		answer, err := s.FourLetterWord(ctx, "mntr")
		if err != nil {
			return err
		}
		for line := range strings.Lines(answer) {
			if n, ok := strings.CutPrefix(line, "zk_packets_received\t"); ok {
				count, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
				if err != nil {
					return fmt.Errorf("mntr: %w", err)
				}
				u.requests += count
			}
		}
	}
	return nil
}

// since is what has been used meanwhile, and how much memory.
func (u *usage) since(ctx context.Context) (r result, err error) {
	after := *u
	after.controller, after.zooKeeper, after.requests = 0, 0, 0
	if err := after.count(ctx); err != nil {
		return r, err
	}
	r.ControllerCPU, r.ZooKeeperCPU = (after.controller - u.controller).Seconds(), (after.zooKeeper - u.zooKeeper).Seconds()
	r.Requests = after.requests - u.requests
	if r.RSS, r.PeakRSS, err = memory(u.process.pid); err != nil {
		return r, err
	}
	if b := u.process.baton; b != nil {
		log, err := os.Open(b.LogPath())
		if err != nil {
			return r, err
		}
		defer func() { _ = log.Close() }()
		if _, err := log.Seek(u.logged, io.SeekStart); err != nil {
			return r, err
		}
		if r.PeakHeap, err = liveAtMost(log); err != nil {
			return r, err
		}
	}
	return r, nil
}

// ticks of /proc are hundredths of a second on every Linux.
const tick = 10 * time.Millisecond

// cpu is what a process has used, all its threads together (proc(5)).
func cpu(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	const user, system = 11, 12 // counted behind the command's name
	if len(fields) <= system {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, data)
	}
	u, err := strconv.ParseInt(fields[user], 10, 64)
	if err != nil {
		return 0, err
	}
	s, err := strconv.ParseInt(fields[system], 10, 64)
	return time.Duration(u+s) * tick, err
}

// memory is a process's resident memory now and at its peak, in bytes.
func memory(pid int) (now, peak int64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(line, ":")
		var kb int64
		_, _ = fmt.Sscanf(value, "%d kB", &kb)
		switch key {
		case "VmRSS":
			now = kb << 10
		case "VmHWM":
			peak = kb << 10
		}
	}
	return now, peak, nil
}

// loadAverage of the last minute; 0 where nobody counts it.
func loadAverage() (load float64) {
	data, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, _ = fmt.Sscan(string(data), &load)
	}
	return load
}
