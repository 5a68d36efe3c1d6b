package normal

import "testing"

// TestController: what may differ is replaced, and what a verb says is not.
func TestController(t *testing.T) {
	for text, want := range map[string]string{
		"Holder:  Baton 2000001 (one) since 2026-11-23 19:42:34Z":                               "Holder:  Baton 2000001 (one) since TIME",
		`"taken": "2026-11-23T19:42:34.123Z",`:                                                  `"taken": TIME,`,
		"no leader, leader epoch 7, ISR 2":                                                      "no leader, leader epoch N, ISR 2",
		"with epoch 16, after 1.2s.":                                                            "with epoch N, after T.",
		"Decided:  2026-11-23 19:42:37.893Z by Baton 2000001-1795462916500, controller epoch 1": "Decided:  TIME by Baton 2000001-START, controller epoch N",
		"Written:  2026-11-23 19:42:37.896Z, version 3 -> 4, after 3 ms":                        "Written:  TIME, version N -> N, after N ms",
		"somebody named the replica by root@vm-1.example: disk":                                 "somebody named the replica by root@HOST: disk",
		`"brokers":[{"id":1,"epoch":25}]`:                                                       `"brokers":[{"id":1,epoch: N}]`,
		// What nobody may lose.
		"3  yes  no  0  20  10…278  chosen":                  "3  yes  no  0  20  at least 10  chosen",
		"1  0 from 0, 3 from 20  parts from 3's at 20":       "1  0 from 0, 3 from 20  parts from 3's at 20",
		`"leader": 2, "isr": [2, 3], "logEnd": 90`:           `"leader": 2, "isr": [2, 3], "logEnd": 90`,
		`"lastEpochMin": 3, "lastEpochMax": 4, "lossMin": 5`: `"lastEpochMin": 3, "lastEpochMax": 4, "lossMin": 5`,
		"Under-replicated:  5":                               "Under-replicated:  5",
	} {
		if got := Controller(nil, text); got != want {
			t.Errorf("%s\nbecomes %s\nwant    %s", text, got, want)
		}
	}
	if got := Controller(map[string]string{"/tmp/x": "DIR", "/tmp/x/y": "FILE"}, "/tmp/x/y in /tmp/x"); got != "FILE in DIR" {
		t.Error(got)
	}
	const list = "BROKER  EPOCH   RACK  STATE      TOLD  UNTOLD\n1       254     -     connected  12    0       A://b\n"
	if got := Columns(list); got != "BROKER  EPOCH  RACK  STATE  TOLD  UNTOLD\n1  N  -  connected  N  N  A://b\n" {
		t.Errorf("%q", got)
	}
}

// A host's name is no part of an id, and neither is an id's part the host.
func TestControllerKeepsIDsTogether(t *testing.T) {
	const text = `{"name":"orders","id":"ECEhNG0vmVS-N8y2fbVE7g","on":"vm"}`
	if got, want := Controller(map[string]string{"vm": "HOST"}, text), `{"name":"orders",id: ID,"on":"HOST"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
