package history

import "testing"

func TestNeverServedNotices(t *testing.T) {
	const baton = 2000001
	topic := func(l *log, zxid int64, replicas string) *log {
		return l.add(zxid, 1, typeSetData, set("/brokers/topics/a", `{"version":3,"topic_id":"x","partitions":{"0":`+replicas+`}}`, int32(zxid)))
	}
	state := func(l *log, zxid int64, content string) *log {
		return l.add(zxid, 1, typeSetData, set("/brokers/topics/a/partitions/0/state", content, int32(zxid)))
	}
	repaired := func() *log { return topic(topic(newLog(), 1, "[2000001,1]"), 2, "[2,1]") }
	h := read(t, "", state(repaired(), 3, `{"leader":2,"leader_epoch":0,"isr":[1,2],"controller_epoch":3}`).dir(t))
	if err := h.CheckNeverServed(baton); err != nil {
		t.Error(err)
	}
	if a := h.Assignments()["a"]; len(a) != 2 || !a[0].Names(baton) || a[1].Names(baton) || a[0].TopicID != "x" {
		t.Errorf("assignments %+v", a)
	}
	for name, l := range map[string]*log{
		"led":          state(repaired(), 3, `{"leader":2000001,"leader_epoch":0,"isr":[1,2],"controller_epoch":3}`),
		"in the isr":   state(repaired(), 3, `{"leader":1,"leader_epoch":0,"isr":[1,2000001],"controller_epoch":3}`),
		"not repaired": topic(newLog(), 1, "[2000001,1]"),
	} {
		if read(t, "", l.dir(t)).CheckNeverServed(baton) == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}
