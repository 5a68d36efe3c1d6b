package zkstore

import "time"

// Registration is the content of /controller with what ZooKeeper knows about it.
type Registration struct {
	BrokerID   int32
	KRaftEpoch int32      // kraftControllerEpoch, -1 if absent
	Baton      *BatonInfo // the key `baton`; nil if a broker holds
	Version    int32      // dataVersion of the znode
	Czxid      int64
	Owner      int64 // session that owns the ephemeral node; 0 if persistent
	Claimed    time.Time
}

// BatonInfo is the key `baton` in /controller and the content of /baton/members/<id>.
type BatonInfo struct {
	Name    string `json:"name"`    // instance name
	Version string `json:"version"` // of the binary
}

// Member is one live Baton, a child of /baton/members.
type Member struct {
	ID int32
	BatonInfo
	Mode string // standby | active
	Host string
	PID  int
	// Admin is where other Batons reach its admin endpoints, host:port; empty if nowhere.
	Admin string
}

// Hold is the content of /baton/hold: no Baton claims while it exists.
type Hold struct {
	Who  string    `json:"who"`
	When time.Time `json:"when"`
	Why  string    `json:"why"`
}

// Handover is the content of /baton/handover: first what a successor asks for, then,
// once Consent equals the holder's controller epoch, the permission to take over.
type Handover struct {
	From    int32     `json:"from"`
	To      int32     `json:"to"`
	When    time.Time `json:"when"`
	Consent int32     `json:"consent"` // the holder's controller epoch, 0 while only asked
	Version int32     `json:"-"`
}

// RoleView is everything that decides who holds and who may take, as last read. A
// field that could not be understood is an entry in Bad by its path, which forbids
// claiming.
type RoleView struct {
	Controller   *Registration // nil: nobody holds
	Epoch        int32         // value of /controller_epoch; 0 if absent
	EpochVersion int32         // its dataVersion, -1 if absent
	Hold         *Hold
	Handover     *Handover
	// Migration is non-empty when /migration exists and is active, and says how.
	Migration string
	Members   []Member
	Bad       map[string]string
}
