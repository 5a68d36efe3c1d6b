package config

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Kafka's security protocols. Baton serves PLAINTEXT only so far.
const (
	Plaintext     = "PLAINTEXT"
	SSL           = "SSL"
	SASLPlaintext = "SASL_PLAINTEXT"
	SASLSSL       = "SASL_SSL"
)

var protocols = []string{Plaintext, SSL, SASLPlaintext, SASLSSL}

// Listener is one entry of listeners or advertised.listeners.
type Listener struct {
	Name     string // upper case, as Kafka publishes it
	Protocol string // by listener.security.protocol.map
	Host     string // "" = all interfaces (listeners only); IPv6 without brackets
	Port     int    // 0 = any free port
}

// Address is what net.Listen and net.Dial take.
func (l Listener) Address() string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }

// String is Kafka's syntax, NAME://host:port.
func (l Listener) String() string {
	if l.Host == "" {
		return fmt.Sprintf("%s://:%d", l.Name, l.Port)
	}
	return l.Name + "://" + l.Address()
}

func formatListeners(ls []Listener) string {
	parts := make([]string, len(ls))
	for i, l := range ls {
		parts[i] = l.String()
	}
	return strings.Join(parts, ",")
}

func findListener(ls []Listener, name string) (Listener, bool) {
	i := slices.IndexFunc(ls, func(l Listener) bool { return l.Name == name })
	if i < 0 {
		return Listener{}, false
	}
	return ls[i], true
}

func listenerNames(ls []Listener) string {
	names := make([]string, len(ls))
	for i, l := range ls {
		names[i] = l.Name
	}
	return strings.Join(names, ", ")
}

// listenerName keeps names to what can be a metric label, a properties key and a line of a log.
var listenerName = regexp.MustCompile(`^[A-Z0-9._\-]+$`)

// parseListeners reads "NAME://host:port,…". Protocols are filled in later, when the map is known. Names are upper
// case from here on and must differ; ports must differ unless 0 or on different hosts.
func parseListeners(s string) ([]Listener, error) {
	var out []Listener
	for _, item := range strings.Split(s, ",") {
		item = trim(item)
		if item == "" {
			continue
		}
		name, rest, ok := strings.Cut(item, "://")
		name = strings.ToUpper(name)
		if !ok || !listenerName.MatchString(name) {
			return nil, fmt.Errorf("NAME://host:port, separated by commas; %q is not one", item)
		}
		host, port, err := splitHostPort(rest, "")
		if err != nil {
			return nil, fmt.Errorf("NAME://host:port, separated by commas; %q is not one", item)
		}
		l := Listener{Name: name, Host: host, Port: port}
		for _, o := range out {
			if o.Name == l.Name {
				return nil, fmt.Errorf("each listener name once; %s is given twice", name)
			}
			if o.Port == l.Port && o.Host == l.Host && l.Port != 0 {
				return nil, fmt.Errorf("a port of its own for each listener; %s and %s share %d", o.Name, l.Name, l.Port)
			}
		}
		out = append(out, l)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("at least one listener as NAME://host:port")
	}
	return out, nil
}

// parseProtocolMap reads listener.security.protocol.map. As in a broker, a given map replaces the default one.
func parseProtocolMap(s string) (map[string]string, error) {
	out := make(map[string]string)
	for _, item := range strings.Split(s, ",") {
		item = trim(item)
		if item == "" {
			continue
		}
		i := strings.LastIndexByte(item, ':')
		if i < 0 {
			return nil, fmt.Errorf("NAME:PROTOCOL, separated by commas; %q is not one", item)
		}
		name, protocol := strings.ToUpper(trim(item[:i])), strings.ToUpper(trim(item[i+1:]))
		if !listenerName.MatchString(name) {
			return nil, fmt.Errorf("NAME:PROTOCOL, separated by commas; %q is not one", item)
		}
		if !slices.Contains(protocols, protocol) {
			return nil, fmt.Errorf("a protocol of %s; %q has none of them", strings.Join(protocols, ", "), item)
		}
		if _, dup := out[name]; dup {
			return nil, fmt.Errorf("each listener name once; %s is given twice", name)
		}
		out[name] = protocol
	}
	return out, nil
}

func formatProtocolMap(m map[string]string) string {
	parts := make([]string, 0, len(m))
	for name, protocol := range m {
		parts = append(parts, name+":"+protocol)
	}
	sort.Strings(parts)
	return strings.Join(parts, ",")
}

// unspecified reports an address that means "every interface": one can listen on it, nobody can connect to it.
func unspecified(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsUnspecified()
}

// Unservable lists the configured listeners whose protocol Baton cannot serve yet (all but PLAINTEXT). They are
// neither opened nor advertised; name them at start.
func (c *Config) Unservable() []Listener {
	return filterListeners(c.Listeners, func(l Listener) bool { return l.Protocol != Plaintext })
}

// Servable lists the configured listeners to open.
func (c *Config) Servable() []Listener {
	return filterListeners(c.Listeners, func(l Listener) bool { return l.Protocol == Plaintext })
}

func filterListeners(ls []Listener, keep func(Listener) bool) []Listener {
	var out []Listener
	for _, l := range ls {
		if keep(l) {
			out = append(out, l)
		}
	}
	return out
}

// Publishable lists the servable advertised listeners, with the ports given as 0 replaced by the bound ones: bound
// maps listener names to ports. A name missing from bound keeps port 0, which must not be published.
func (c *Config) Publishable(bound map[string]int) []Listener {
	out := filterListeners(c.AdvertisedListeners, func(l Listener) bool { return l.Protocol == Plaintext })
	for i := range out {
		if out[i].Port == 0 {
			out[i].Port = bound[out[i].Name]
		}
	}
	return out
}

// ControllerListener is the name of the listener over which brokers and controller talk: the control plane's where
// there is one, otherwise the inter-broker one.
func (c *Config) ControllerListener() string {
	if c.ControlPlaneListener != "" {
		return c.ControlPlaneListener
	}
	return c.InterBrokerListener
}
