package node

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads, ok := 0, true
		f := fresh[int]{good: time.Minute}
		f.read = func(context.Context) (int, bool) {
			reads++
			time.Sleep(time.Second)
			return reads, ok
		}
		want := func(what string, value, n int) {
			t.Helper()
			if got := f.get(); got != value || reads != n {
				t.Errorf("%s: %d after %d reads, want %d after %d", what, got, reads, value, n)
			}
		}
		go f.get()
		synctest.Wait()
		want("waits for the first read", 1, 1)
		time.Sleep(59 * time.Second)
		want("still good", 1, 1)
		time.Sleep(time.Second)
		go f.get()
		synctest.Wait()
		want("what there is, while it is read again", 1, 2)
		time.Sleep(2 * time.Second)
		want("read again", 2, 2)
		ok = false
		time.Sleep(time.Minute)
		want("what there was, after a failure", 2, 3)
		time.Sleep(time.Second)
		want("not again at once", 2, 3)
		time.Sleep(directoryAge)
		want("after a while", 2, 4)
		ok = true
		f.outdate()
		want("changed", 5, 5)
		f.outdate()
		go f.get()
		synctest.Wait()
		f.outdate()
		want("changed once more, while it was read", 6, 6)
		want("so that it is read again", 7, 7)
	})
}
