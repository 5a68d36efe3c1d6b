package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/e2e/history"
)

const us = 2_000_001

// story makes a history of words: +N and -N for /controller, brokerN and topicX for creations; words joined by & are one multi.
func story(words ...string) *history.History {
	h := &history.History{}
	for i, word := range words {
		for part := range strings.SplitSeq(word, "&") {
			c := history.Change{Zxid: int64(i + 1), Time: time.UnixMilli(int64(i)), Op: history.Create}
			switch {
			case part[0] == '+':
				c.Path, c.Data = "/controller", fmt.Appendf(nil, `{"brokerid":%s}`, part[1:])
			case part[0] == '-':
				c.Path, c.Op = "/controller", history.Delete
			case strings.HasPrefix(part, "broker"):
				c.Path = "/brokers/ids/" + strings.TrimPrefix(part, "broker")
			default:
				c.Path = "/brokers/topics/" + part
			}
			h.Changes = append(h.Changes, c)
		}
	}
	return h
}

func TestHeld(t *testing.T) {
	for _, c := range []struct {
		name string
		h    *history.History
		want string // a part of the error, none if empty
	}{
		{"throughout", story("+2000001", "broker1", "orders", "orders/partitions"), ""},
		{"no topic", story("+2000001", "broker1"), ""},
		{"taken from a broker before the first topic", story("broker1", "+1", "-&+2000001", "orders"), ""},
		{"taken from a broker after the first topic", story("broker1", "+1", "orders", "-&+2000001"), "before the first topic, orders, 1 held"},
		{"came after the first topic", story("orders", "+2000001", "broker1"), "before the first topic, orders, nobody held"},
		{"given up and back", story("+2000001", "broker1", "orders", "-", "+2000001"), "after it nobody held"},
		{"lost to a broker", story("+2000001", "broker1", "orders", "-", "+1"), "after it 1 held"},
		{"gone at the end", story("+2000001", "broker1", "orders", "-"), "after it nobody held"},
		{"claimed anew in one multi", story("+2000001", "broker1", "orders", "-&+2000001"), ""},
		{"no topic, came after the first broker", story("broker1", "+2000001"), "before the first broker, 1, nobody held"},
		{"nobody came", story("+2000001"), "no broker has registered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := held(c.h, us)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
