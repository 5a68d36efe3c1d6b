package config

import (
	"fmt"
	"path/filepath"
)

// derive fills what follows from several keys and checks them against each other. A key that could not be read is
// skipped here, so that one mistake is reported once.
func (l *loader) derive() {
	l.checkIdentity()
	l.checkBrokersListeners()
	l.advertise()
	if !l.failed["listener.security.protocol.map"] {
		l.assignProtocols()
		l.chooseInterBroker()
		l.checkControlPlane()
	}
	if _, ok := l.raw["zookeeper.connection.timeout.ms"]; !ok {
		l.c.ZooKeeperConnectionTimeout = l.c.ZooKeeperSessionTimeout
	}
	if l.c.InstanceName == "" {
		l.c.InstanceName = l.env.host
	}
	if _, ok := l.raw["admin.socket"]; !ok && !l.failed["node.id"] {
		path, err := parseSocketPath(filepath.Join(l.env.tempDir, fmt.Sprintf("baton-%d.sock", l.c.NodeID)))
		if err != nil {
			l.errs = append(l.errs, &KeyError{Where: l.name, Key: "admin.socket", missing: true,
				Expected: err.Error() + "; the one made from TMPDIR is too long"})
		}
		l.c.AdminSocket = path
	}
	if _, ok := l.raw["journal.dir"]; !ok {
		l.c.JournalDir = filepath.Join(l.env.tempDir, fmt.Sprintf("baton-%d.journal", l.c.NodeID))
	}
	l.warnRecovery()
	l.warnPolicy("create.topic.policy.class.name", l.c.CreateTopicPolicy, "topics created")
	l.warnPolicy("alter.config.policy.class.name", l.c.AlterConfigPolicy, "configs changed")
}

func (l *loader) warnPolicy(key, class, what string) {
	if class != "" {
		l.warn(SeverityError, []string{key}, "%s: %s=%s: Baton cannot run Java, so this policy will NOT be applied to %s through it",
			l.raw[key].where, key, quote(class), what)
	}
}

func (l *loader) checkIdentity() {
	if l.failed["node.id"] {
		return
	}
	switch id := l.c.NodeID; {
	case id == l.c.BrokerID:
		l.bad("node.id", fmt.Sprintf("an id of Baton's own, never a broker's: broker.id is %d in the same file (%s)", id, l.name))
	case id < MinRecommendedID:
		l.warn(SeverityWarn, []string{"node.id"}, "%s: node.id=%d is in the range of brokers' ids; %d and up is recommended for a Baton",
			l.raw["node.id"].where, id, MinRecommendedID)
	}
}

// checkBrokersListeners refuses the listeners of a broker's own file: that broker listens there already.
func (l *loader) checkBrokersListeners() {
	if l.brokersFile && l.raw["listeners"].origin == OriginFile {
		l.bad("listeners", "listeners of Baton's own by --set listeners=…: this is a broker's file (it has broker.id or log.dirs), and that broker listens there already")
	}
}

// advertise checks advertised.listeners, or makes it from listeners. Unlike a broker Baton does not put the host's own
// name in place of an empty one: an address nobody can reach would leave brokers without a controller.
func (l *loader) advertise() {
	if l.failed["listeners"] || l.failed["advertised.listeners"] {
		return
	}
	key := "advertised.listeners"
	if _, ok := l.raw[key]; !ok {
		key = "listeners"
		l.c.AdvertisedListeners = append([]Listener(nil), l.c.Listeners...)
	}
	for _, a := range l.c.AdvertisedListeners {
		at, ok := findListener(l.c.Listeners, a.Name)
		switch {
		case !ok:
			l.bad(key, fmt.Sprintf("names that listeners has (%s); %s is not one", listenerNames(l.c.Listeners), a.Name))
		case a.Host == "" || unspecified(a.Host):
			l.bad(key, fmt.Sprintf("a host for %s at which brokers and clients reach Baton, here or in advertised.listeners", a.Name))
		case a.Port == 0 && at.Port != 0:
			l.bad(key, fmt.Sprintf("a port for %s; 0 is filled in only where the listener's own port is 0", a.Name))
		}
	}
}

func (l *loader) assignProtocols() {
	if l.failed["listeners"] {
		return
	}
	for i, ln := range l.c.Listeners {
		p, ok := l.c.ListenerSecurityProtocolMap[ln.Name]
		if !ok {
			l.bad("listeners", fmt.Sprintf("names that listener.security.protocol.map has; %s is not one", ln.Name))
		}
		l.c.Listeners[i].Protocol = p
	}
	for i, ln := range l.c.AdvertisedListeners {
		l.c.AdvertisedListeners[i].Protocol = l.c.ListenerSecurityProtocolMap[ln.Name]
	}
}

func (l *loader) chooseInterBroker() {
	const byName, byProtocol = "inter.broker.listener.name", "security.inter.broker.protocol"
	if l.failed[byName] || l.failed[byProtocol] {
		return
	}
	key := byName
	if l.c.InterBrokerListener == "" {
		key = byProtocol
		l.c.InterBrokerListener = l.c.securityInterBrokerProtocol
	} else if _, both := l.raw[byProtocol]; both {
		l.bad(byName, "only one of inter.broker.listener.name and security.inter.broker.protocol")
		return
	}
	l.checkControllerListener(key, l.c.InterBrokerListener)
}

func (l *loader) checkControlPlane() {
	const key = "control.plane.listener.name"
	if l.failed[key] || l.c.ControlPlaneListener == "" {
		return
	}
	if l.c.ControlPlaneListener == l.c.InterBrokerListener {
		l.bad(key, "another listener than the inter-broker one")
		return
	}
	l.checkControllerListener(key, l.c.ControlPlaneListener)
}

// checkControllerListener refuses to start when Baton could not be reached, or could not reach brokers, over the
// listener that brokers and controllers use with each other.
func (l *loader) checkControllerListener(key, name string) {
	protocol, ok := l.c.ListenerSecurityProtocolMap[name]
	_, given := l.raw[key]
	if !given {
		// The default came into force because listeners has no such name: that is the key to mend.
		key = "listeners"
	}
	switch {
	case !ok && given:
		l.bad(key, fmt.Sprintf("a listener that listener.security.protocol.map has; %s is not one", name))
	case ok && protocol != Plaintext:
		l.bad(key, fmt.Sprintf("a PLAINTEXT listener: %s uses %s, and TLS/SASL is not built yet", name, protocol))
	case l.failed["listeners"] || l.failed["advertised.listeners"]:
	default:
		if _, ok := findListener(l.c.AdvertisedListeners, name); !ok {
			l.bad(key, fmt.Sprintf("brokers to find Baton on %s, but Baton advertises only %s (inter.broker.listener.name chooses another)",
				name, listenerNames(l.c.AdvertisedListeners)))
		}
	}
}
