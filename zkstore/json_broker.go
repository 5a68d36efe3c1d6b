package zkstore

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"baton/cluster"
)

var protocols = map[string]int16{
	"PLAINTEXT": cluster.Plaintext, "SSL": cluster.SSL,
	"SASL_PLAINTEXT": cluster.SASLPlaintext, "SASL_SSL": cluster.SASLSSL,
}

// decodeBroker reads a registration; ID and Epoch are the caller's. Versions above 5
// are accepted, as Kafka has no upper bound either.
func decodeBroker(data []byte) (b cluster.Broker, err error) {
	o, err := parseObject(data)
	if err != nil {
		return b, err
	}
	version, err := required[int32](o, "version", kindInt)
	if err != nil {
		return b, err
	}
	if version < 1 {
		return b, fmt.Errorf("expected a version of 1 and more, found %d", version)
	}
	if b.Rack, b.HasRack, err = field[string](o, "rack", kindString); err != nil {
		return b, err
	}
	if version == 1 {
		b.Endpoints, err = firstEndpoint(o)
	} else {
		b.Endpoints, err = endpoints(o)
	}
	return b, err
}

func firstEndpoint(o object) ([]cluster.Endpoint, error) {
	host, err := required[string](o, "host", kindString)
	if err != nil {
		return nil, err
	}
	port, err := required[int32](o, "port", kindInt)
	if err != nil {
		return nil, err
	}
	if host == "" || port < 1 || port > 65535 {
		return nil, fmt.Errorf("expected a host and a port, found %q and %d", host, port)
	}
	return []cluster.Endpoint{{Listener: "PLAINTEXT", Protocol: cluster.Plaintext, Host: host, Port: port}}, nil
}

func endpoints(o object) ([]cluster.Endpoint, error) {
	list, err := required[[]string](o, "endpoints", kindStrings)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("expected at least one endpoint, found none")
	}
	given, _, err := field[map[string]string](o, "listener_security_protocol_map", "an object of strings")
	if err != nil {
		return nil, err
	}
	byName := make(map[string]string, len(given))
	for name, p := range given {
		byName[strings.ToUpper(name)] = p
	}
	out := make([]cluster.Endpoint, 0, len(list))
	for _, text := range list {
		e, err := parseEndpoint(text)
		if err != nil {
			return nil, err
		}
		name, ok := byName[e.Listener]
		if !ok && given == nil {
			name = e.Listener // before the map existed, a listener's name was its protocol
		}
		if e.Protocol, ok = protocols[strings.ToUpper(name)]; !ok {
			return nil, fmt.Errorf("expected a security protocol for listener %s, found %q", e.Listener, name)
		}
		out = append(out, e)
	}
	return out, nil
}

// parseEndpoint reads NAME://host:port.
func parseEndpoint(text string) (e cluster.Endpoint, err error) {
	bad := fmt.Errorf("expected an endpoint NAME://host:port, found %s", excerpt([]byte(text)))
	name, address, ok := strings.Cut(text, "://")
	if !ok || name == "" {
		return e, bad
	}
	host, portText, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return e, bad
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return e, bad
	}
	return cluster.Endpoint{Listener: strings.ToUpper(name), Host: host, Port: int32(port)}, nil
}
