package check

import (
	"fmt"
	"slices"
	"strings"

	"baton/cluster"
	"baton/config"
)

// protocolNames are Kafka's security protocols by their number on the wire.
var protocolNames = map[int16]string{
	cluster.Plaintext: config.Plaintext, cluster.SSL: config.SSL,
	cluster.SASLPlaintext: config.SASLPlaintext, cluster.SASLSSL: config.SASLSSL,
}

// listeners: a client that learnt of Baton over a listener must find it there, and brokers must find it on theirs.
func (e *evaluation) listeners() {
	e.brokersOwn("inter.broker.listener.name", e.Config.InterBrokerListener)
	e.brokersOwn("control.plane.listener.name", e.Config.ControlPlaneListener)
	published := map[string][]int16{}
	for _, b := range e.Brokers {
		if b.Baton {
			continue
		}
		for _, x := range b.Endpoints {
			if !slices.Contains(published[x.Listener], x.Protocol) {
				published[x.Listener] = append(published[x.Listener], x.Protocol)
			}
		}
	}
	for _, name := range sortedKeys(published) {
		e.listener(name, published[name])
	}
}

func (e *evaluation) listener(name string, protocols []int16) {
	item := "listener " + name
	needed := name == e.Config.InterBrokerListener || name == e.Config.ControlPlaneListener
	level := Warn
	if needed {
		level = Fail
	}
	if len(protocols) > 1 {
		e.add(level, item, "one security protocol a listener name", "the brokers use different protocols on it: %s", protocolList(protocols))
		return
	}
	theirs := protocolNames[protocols[0]]
	i := slices.IndexFunc(e.Config.AdvertisedListeners, func(l config.Listener) bool { return l.Name == name })
	switch {
	case theirs != config.Plaintext && needed:
		e.add(Fail, item, "Baton serves PLAINTEXT only in this release", "is %s, and brokers call the controller on it", theirs)
	case theirs != config.Plaintext:
		e.add(Warn, item, "Baton serves PLAINTEXT only in this release",
			"is %s: clients on it will not be told who the controller is, so admin commands need another listener", theirs)
	case i < 0:
		e.add(level, item, "add "+name+"://host:port to listeners and advertised.listeners",
			"Baton has none of that name, so who connects by it cannot reach the controller")
	case e.Config.AdvertisedListeners[i].Protocol != theirs:
		e.add(level, item, "correct listener.security.protocol.map", "is %s on the brokers, %s here", theirs, e.Config.AdvertisedListeners[i].Protocol)
	default:
		e.add(OK, item, "", "served at %s", e.Config.AdvertisedListeners[i].Address())
	}
}

// brokersOwn compares a listener's role with what brokers are configured with.
func (e *evaluation) brokersOwn(key, ours string) {
	differ := map[string][]string{}
	for _, b := range e.Brokers {
		if b.Configs == nil {
			continue
		}
		theirs := strings.ToUpper(b.Configs[key])
		if theirs == "" && key == "inter.broker.listener.name" {
			theirs = b.Configs["security.inter.broker.protocol"]
		}
		if theirs != ours {
			differ[theirs] = append(differ[theirs], fmt.Sprint(b.ID))
		}
	}
	for _, v := range sortedKeys(differ) {
		e.add(Fail, key, "set "+key+"="+v+" for Baton", "ours is %q, on brokers %s it is %q", ours, some(differ[v]), v)
	}
}

func protocolList(ps []int16) string {
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = protocolNames[p]
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
