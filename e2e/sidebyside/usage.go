package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"baton/e2e/kafka"
)

// usage is what processes have used so far.
type usage struct {
	controller, zooKeeper time.Duration // of CPU
	requests              int64         // that ZooKeeper got
}

func (u usage) since(before usage) usage {
	return usage{u.controller - before.controller, u.zooKeeper - before.zooKeeper, u.requests - before.requests}
}

func used(ctx context.Context, controller int, zk *kafka.ZooKeeper) (u usage, err error) {
	if u.controller, err = cpu(controller); err != nil {
		return u, err
	}
	for _, s := range zk.Servers {
		c, err := cpu(s.PID())
		if err != nil {
			return u, err
		}
		u.zooKeeper += c
		answer, err := s.FourLetterWord(ctx, "mntr")
		if err != nil {
			return u, err
		}
		for line := range strings.Lines(answer) {
			if n, ok := strings.CutPrefix(line, "zk_packets_received\t"); ok {
				count, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
				if err != nil {
					return u, fmt.Errorf("mntr: %w", err)
				}
				u.requests += count
			}
		}
	}
	return u, nil
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
