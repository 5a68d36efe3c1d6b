package simbroker

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-zookeeper/zk"
)

// Elected says that the broker has won or lost /controller.
type Elected struct {
	Active bool
	Epoch  int32 // of the claim, when Active
}

// elections takes part in the race for /controller as far as a broker's own controller
// does (02): it watches, claims when nobody is there, and resigns when it sees another.
// It only compares ids, and does not care whether the holder is registered (10.4).
func (s *session) elections() {
	active, round := false, int64(0)
	for s.p.ctx.Err() == nil {
		holder, gone, err := s.holder()
		mine := err == nil && holder == s.p.opts.ID && s.conn.SessionID() == round
		if active && (err == nil && !mine) {
			active = false
			s.p.opts.Election(Elected{})
		}
		if err == nil && holder < 0 {
			session := s.conn.SessionID()
			epoch, claimErr := s.claim()
			if claimErr == nil {
				active, round = true, session
				s.p.opts.Election(Elected{Active: true, Epoch: epoch})
			} else if !errors.Is(claimErr, errLost) && !s.p.sleep(registerPause) {
				return
			}
			continue
		}
		if err != nil {
			if !s.p.sleep(registerPause) {
				return
			}
			continue
		}
		select {
		case <-gone:
		case <-s.p.ctx.Done():
			return
		}
	}
}

// holder returns who holds /controller, -1 for nobody, and a watch on it.
func (s *session) holder() (int32, <-chan zk.Event, error) {
	path := s.path("/controller")
	exists, _, watch, err := s.conn.ExistsW(path)
	if err != nil || !exists {
		return -1, watch, err
	}
	data, _, err := s.conn.Get(path)
	if errors.Is(err, zk.ErrNoNode) {
		return -1, watch, nil
	}
	var c struct{ Brokerid *int32 }
	if err == nil && (json.Unmarshal(data, &c) != nil || c.Brokerid == nil) {
		err = fmt.Errorf("/controller: %q", data)
	}
	if err != nil {
		return 0, watch, err
	}
	return *c.Brokerid, watch, nil
}

var errLost = errors.New("somebody else was faster")

// claim is Kafka's multi: create /controller, and raise /controller_epoch on condition
// of the version that was read.
func (s *session) claim() (int32, error) {
	path := s.path("/controller_epoch")
	if err := s.ensure(path, []byte("0")); err != nil {
		return 0, err
	}
	data, stat, err := s.conn.Get(path)
	if err != nil {
		return 0, err
	}
	old, err := strconv.ParseInt(string(data), 10, 32)
	if err != nil {
		return 0, err
	}
	me := fmt.Sprintf(`{"version":2,"brokerid":%d,"timestamp":"%d","kraftControllerEpoch":-1}`, s.p.opts.ID, time.Now().UnixMilli())
	epoch := int32(old) + 1
	_, err = s.conn.Multi(
		&zk.CreateRequest{Path: s.path("/controller"), Data: []byte(me), Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral},
		&zk.SetDataRequest{Path: path, Data: []byte(strconv.Itoa(int(epoch))), Version: stat.Version})
	if errors.Is(err, zk.ErrNodeExists) || errors.Is(err, zk.ErrBadVersion) {
		return 0, errLost
	}
	return epoch, err
}
