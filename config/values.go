package config

import (
	"fmt"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The parsers below return an error that says only what was expected; KeyError adds where, which key and what was
// given. Kafka trims every typed value before it reads it, and so do they.

// trim removes what Java's String.trim removes: every character up to and including the space.
func trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }

// parseBool is Kafka's: true or false in any case, nothing else ("yes" and "1" are errors).
func parseBool(s string) (bool, error) {
	switch strings.ToLower(trim(s)) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("true or false")
}

// parseInt reads a decimal integer within [lo, hi]. Kafka's own limit is Java's int, so hi is at most MaxInt32.
func parseInt(s string, lo, hi int) (int, error) {
	n, err := strconv.Atoi(trim(s))
	if err != nil || n < lo || n > hi {
		if hi == math.MaxInt32 {
			return 0, fmt.Errorf("an integer of at least %d", lo)
		}
		return 0, fmt.Errorf("an integer from %d to %d", lo, hi)
	}
	return n, nil
}

func parseMillis(s string) (time.Duration, error) {
	n, err := parseInt(s, 1, math.MaxInt32)
	if err != nil {
		return 0, fmt.Errorf("a number of milliseconds of at least 1")
	}
	return time.Duration(n) * time.Millisecond, nil
}

// parseMillisOrOff is for what 0 switches off.
func parseMillisOrOff(s string) (time.Duration, error) {
	n, err := parseInt(s, 0, math.MaxInt32)
	if err != nil {
		return 0, fmt.Errorf("a number of milliseconds, 0 for off")
	}
	return time.Duration(n) * time.Millisecond, nil
}

// parseLongMillis is for what Kafka keeps in 64 bits. What time.Duration does not hold, 292 years, is as much as it does.
func parseLongMillis(s string) (time.Duration, error) {
	const most = math.MaxInt64 / int64(time.Millisecond)
	n, err := strconv.ParseInt(trim(s), 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("a number of milliseconds of at least 1")
	}
	return time.Duration(min(n, most)) * time.Millisecond, nil
}

func formatMillis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func parseSeconds(s string) (time.Duration, error) {
	n, err := parseInt(s, 1, math.MaxInt32)
	if err != nil {
		return 0, fmt.Errorf("a number of seconds of at least 1")
	}
	return time.Duration(n) * time.Second, nil
}

// parseWord reads one of a fixed set of lower-case words, in any case.
func parseWord(s string, words ...string) (string, error) {
	s = strings.ToLower(trim(s))
	if slices.Contains(words, s) {
		return s, nil
	}
	return "", fmt.Errorf("one of %s", strings.Join(words, ", "))
}

// parseConnect reads zookeeper.connect: hosts separated by commas, one optional chroot after the last. Empty items are
// dropped, as ZooKeeper's client does. A missing port is 2181.
func parseConnect(s string) (servers []string, chroot string, err error) {
	s = trim(s)
	if i := strings.IndexByte(s, '/'); i >= 0 {
		s, chroot = s[:i], s[i:]
	}
	if strings.Contains(chroot, ",") {
		return nil, "", fmt.Errorf("one chroot, after the last host (host1:2181,host2:2181/chroot)")
	}
	if chroot == "/" {
		chroot = ""
	}
	if err := checkChroot(chroot); err != nil {
		return nil, "", err
	}
	for _, item := range strings.Split(s, ",") {
		item = trim(item)
		if item == "" {
			continue
		}
		host, port, err := splitHostPort(item, "2181")
		if err != nil || host == "" || port == 0 {
			return nil, "", fmt.Errorf("hosts as host:port separated by commas, with an optional /chroot at the end; %q is not one", item)
		}
		servers = append(servers, net.JoinHostPort(host, strconv.Itoa(port)))
	}
	if len(servers) == 0 {
		return nil, "", fmt.Errorf("at least one ZooKeeper host (host1:2181,host2:2181/chroot)")
	}
	return servers, chroot, nil
}

func checkChroot(p string) error {
	if p == "" {
		return nil
	}
	for _, part := range strings.Split(p[1:], "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("a chroot without empty, \".\" or \"..\" parts and without a slash at its end")
		}
	}
	for _, r := range p {
		if r <= ' ' || r >= 0x7f && r <= 0x9f {
			return fmt.Errorf("a chroot without spaces and control characters")
		}
	}
	return nil
}

// hostPattern is what Kafka accepts as the host of a listener: names, IPv4, IPv6 without brackets, zones.
var hostPattern = regexp.MustCompile(`^[0-9a-zA-Z\-%._:]*$`)

// splitHostPort reads host:port or [v6]:port; with defaultPort != "" the port may be missing.
func splitHostPort(s, defaultPort string) (host string, port int, err error) {
	portText := defaultPort
	if rest, bracketed := strings.CutPrefix(s, "["); bracketed {
		var after string
		var closed bool
		host, after, closed = strings.Cut(rest, "]")
		if !closed || after != "" && after[0] != ':' {
			return "", 0, fmt.Errorf("host:port")
		}
		if after != "" {
			portText = after[1:]
		}
	} else {
		host = s
		if i := strings.LastIndexByte(s, ':'); i >= 0 {
			host, portText = s[:i], s[i+1:]
		}
		if strings.Contains(host, ":") {
			return "", 0, fmt.Errorf("host:port, with an IPv6 address in brackets")
		}
	}
	if !hostPattern.MatchString(host) {
		return "", 0, fmt.Errorf("host:port")
	}
	n, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("host:port with a port from 0 to 65535")
	}
	return host, int(n), nil
}

// parseHostPort is a listening address of our own; empty means off.
func parseHostPort(s string) (string, error) {
	s = trim(s)
	if s == "" {
		return "", nil
	}
	host, port, err := splitHostPort(s, "")
	if err != nil {
		return "", fmt.Errorf("%w, or nothing to switch it off", err)
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// maxSocketPath is Linux's sun_path (108 bytes) less its terminating zero.
const maxSocketPath = 107

func parseSocketPath(s string) (string, error) {
	s = trim(s)
	if len(s) > maxSocketPath || strings.ContainsRune(s, 0) {
		return "", fmt.Errorf("a path of at most %d bytes (the limit of a unix socket), or nothing to switch it off", maxSocketPath)
	}
	return s, nil
}

// Label is one name and value put on every metric.
type Label struct{ Name, Value string }

// labelName is Prometheus' rule; names that start with "__" are reserved there.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func parseLabels(s string) ([]Label, error) {
	var out []Label
	for _, item := range strings.Split(s, ",") {
		if trim(item) == "" {
			continue
		}
		name, value, ok := strings.Cut(item, "=")
		l := Label{Name: trim(name), Value: trim(value)}
		if !ok || !labelName.MatchString(l.Name) || strings.HasPrefix(l.Name, "__") {
			return nil, fmt.Errorf("name=value pairs separated by commas, with Prometheus label names; %q is not one", trim(item))
		}
		if slices.ContainsFunc(out, func(o Label) bool { return o.Name == l.Name }) {
			return nil, fmt.Errorf("each label once; %q is given twice", l.Name)
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func formatLabels(labels []Label) string {
	parts := make([]string, len(labels))
	for i, l := range labels {
		parts[i] = l.Name + "=" + l.Value
	}
	return strings.Join(parts, ",")
}
