package zkserver

import (
	"crypto/sha1"
	"encoding/base64"
	"net"
	"slices"
	"strconv"
	"strings"

	"baton/jute"
)

// identity is who a connection has shown to be.
type identity struct{ scheme, id string }

// authenticate handles an auth packet of scheme digest or ip.
func (c *conn) authenticate(scheme string, auth []byte) bool {
	switch scheme {
	case "digest":
		// Whatever name and password: they say who the client is, and ACLs say what that is worth.
		c.identify(identity{"digest", digest(string(auth))})
		return true
	case "ip":
		c.identify(identity{"ip", c.host})
		return true
	}
	return false
}

func (c *conn) identify(id identity) {
	if !slices.Contains(c.ids, id) {
		c.ids = append(c.ids, id)
	}
}

// digest turns user:password into user:base64(sha1(user:password)).
func digest(s string) string {
	sum := sha1.Sum([]byte(s))
	user, _, _ := strings.Cut(s, ":")
	return user + ":" + base64.StdEncoding.EncodeToString(sum[:])
}

// allowed says whether one entry grants the permission to one of the connection's identities. No ACL allows all.
func (c *conn) allowed(acl []jute.ACL, perm int32) bool {
	if len(acl) == 0 {
		return true
	}
	for _, a := range acl {
		if a.Perms&perm == 0 {
			continue
		}
		if a.Scheme == "world" && a.ID == "anyone" {
			return true
		}
		for _, id := range c.ids {
			if id.scheme == a.Scheme && matches(id, a.ID) {
				return true
			}
		}
	}
	return false
}

func matches(id identity, expr string) bool {
	if id.scheme != "ip" {
		return id.id == expr
	}
	prefix, bits, ok := parseIP(expr)
	addr, _, ok2 := parseIP(id.id)
	if !ok || !ok2 {
		return false
	}
	mask := net.CIDRMask(bits, 32)
	return addr.Mask(mask).Equal(prefix.Mask(mask))
}

// parseIP reads an IPv4 address with an optional number of bits, all that ZooKeeper's ip scheme knows.
func parseIP(expr string) (net.IP, int, bool) {
	addr, n, cut := strings.Cut(expr, "/")
	ip := net.ParseIP(addr).To4()
	if ip == nil {
		return nil, 0, false
	}
	if !cut {
		return ip, 32, true
	}
	bits, err := strconv.Atoi(n)
	return ip, bits, err == nil && bits >= 0 && bits <= 32
}

// fixACL checks an ACL that is to be set and puts the client's own identities in the place of scheme auth.
func (c *conn) fixACL(acl []jute.ACL) ([]jute.ACL, jute.Code) {
	var out []jute.ACL
	for i, a := range acl {
		if slices.Contains(acl[:i], a) {
			continue
		}
		switch {
		case a.Scheme == "world" && a.ID == "anyone":
			out = append(out, a)
		case a.Scheme == "auth":
			n := len(out)
			for _, id := range c.ids {
				if id.scheme == "digest" {
					out = append(out, jute.ACL{Perms: a.Perms, Scheme: id.scheme, ID: id.id})
				}
			}
			if len(out) == n {
				return nil, jute.InvalidACL
			}
		case a.Scheme == "digest" && validDigest(a.ID), a.Scheme == "ip" && validIP(a.ID):
			out = append(out, a)
		default:
			return nil, jute.InvalidACL
		}
	}
	if len(out) == 0 {
		return nil, jute.InvalidACL
	}
	return out, jute.OK
}

// validDigest wants exactly two parts; Java's split drops empty ones at the end.
func validDigest(id string) bool {
	parts := strings.Split(strings.TrimRight(id, ":"), ":")
	return len(parts) == 2
}

func validIP(id string) bool {
	_, _, ok := parseIP(id)
	return ok
}

// hidden is an ACL as who may not administrate the node sees it: digests without their hash.
func hidden(acl []jute.ACL) []jute.ACL {
	out := slices.Clone(acl)
	for i, a := range out {
		if a.Scheme == "digest" {
			user, _, ok := strings.Cut(a.ID, ":")
			if ok {
				out[i].ID = user + ":x"
			}
		}
	}
	return out
}
