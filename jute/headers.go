package jute

// ConnectRequest is a connection's first frame.
type ConnectRequest struct {
	ProtocolVersion int32
	LastZxidSeen    int64
	Timeout         int32 // ms
	SessionID       int64
	Password        []byte
	ReadOnly        bool
	// Old is set for a client from before 3.4, whose request ends before ReadOnly; its answer does too.
	Old bool
}

// Append writes the record.
func (r *ConnectRequest) Append(b []byte) []byte {
	b = AppendInt(b, r.ProtocolVersion)
	b = AppendLong(b, r.LastZxidSeen)
	b = AppendInt(b, r.Timeout)
	b = AppendLong(b, r.SessionID)
	b = AppendBuffer(b, r.Password)
	if r.Old {
		return b
	}
	return AppendBool(b, r.ReadOnly)
}

// Decode reads the record.
func (r *ConnectRequest) Decode(d *Decoder) {
	*r = ConnectRequest{ProtocolVersion: d.Int(), LastZxidSeen: d.Long(), Timeout: d.Int(), SessionID: d.Long(),
		Password: d.Buffer()}
	if r.Old = len(d.b) == 0; !r.Old {
		r.ReadOnly = d.Bool()
	}
}

// ConnectResponse answers it. A session id of zero says that the session is no more.
type ConnectResponse struct {
	ProtocolVersion int32
	Timeout         int32 // ms
	SessionID       int64
	Password        []byte
	ReadOnly        bool
	Old             bool
}

// Append writes the record.
func (r *ConnectResponse) Append(b []byte) []byte {
	b = AppendInt(b, r.ProtocolVersion)
	b = AppendInt(b, r.Timeout)
	b = AppendLong(b, r.SessionID)
	b = AppendBuffer(b, r.Password)
	if r.Old {
		return b
	}
	return AppendBool(b, r.ReadOnly)
}

// Decode reads the record.
func (r *ConnectResponse) Decode(d *Decoder) {
	*r = ConnectResponse{ProtocolVersion: d.Int(), Timeout: d.Int(), SessionID: d.Long(), Password: d.Buffer()}
	if r.Old = len(d.b) == 0; !r.Old {
		r.ReadOnly = d.Bool()
	}
}

// RequestHeader precedes every request but the first.
type RequestHeader struct {
	Xid int32
	Op  Op
}

// Append writes the record.
func (r *RequestHeader) Append(b []byte) []byte { return AppendInt(AppendInt(b, r.Xid), int32(r.Op)) }

// Decode reads the record.
func (r *RequestHeader) Decode(d *Decoder) { r.Xid, r.Op = d.Int(), Op(d.Int()) }

// ReplyHeader precedes every reply and event.
type ReplyHeader struct {
	Xid  int32
	Zxid int64
	Err  Code
}

// Append writes the record.
func (r *ReplyHeader) Append(b []byte) []byte {
	return AppendInt(AppendLong(AppendInt(b, r.Xid), r.Zxid), int32(r.Err))
}

// Decode reads the record.
func (r *ReplyHeader) Decode(d *Decoder) { r.Xid, r.Zxid, r.Err = d.Int(), d.Long(), Code(d.Int()) }

// WatcherEvent follows a ReplyHeader with XidNotification.
type WatcherEvent struct {
	Type  EventType
	State int32
	Path  string
}

// Append writes the record.
func (r *WatcherEvent) Append(b []byte) []byte {
	return AppendString(AppendInt(AppendInt(b, int32(r.Type)), r.State), r.Path)
}

// Decode reads the record.
func (r *WatcherEvent) Decode(d *Decoder) {
	r.Type, r.State, r.Path = EventType(d.Int()), d.Int(), d.String()
}

// Stat is what a znode tells about itself. StatSize is its length on the wire.
type Stat struct {
	Czxid, Mzxid                int64
	Ctime, Mtime                int64 // ms since 1970
	Version, Cversion, Aversion int32
	EphemeralOwner              int64
	DataLength, NumChildren     int32
	Pzxid                       int64
}

// StatSize is the wire size of a Stat.
const StatSize = 68

// Append writes the record.
func (r *Stat) Append(b []byte) []byte {
	b = AppendLong(b, r.Czxid)
	b = AppendLong(b, r.Mzxid)
	b = AppendLong(b, r.Ctime)
	b = AppendLong(b, r.Mtime)
	b = AppendInt(b, r.Version)
	b = AppendInt(b, r.Cversion)
	b = AppendInt(b, r.Aversion)
	b = AppendLong(b, r.EphemeralOwner)
	b = AppendInt(b, r.DataLength)
	b = AppendInt(b, r.NumChildren)
	return AppendLong(b, r.Pzxid)
}

// Decode reads the record.
func (r *Stat) Decode(d *Decoder) {
	*r = Stat{Czxid: d.Long(), Mzxid: d.Long(), Ctime: d.Long(), Mtime: d.Long(), Version: d.Int(), Cversion: d.Int(),
		Aversion: d.Int(), EphemeralOwner: d.Long(), DataLength: d.Int(), NumChildren: d.Int(), Pzxid: d.Long()}
}

// ACL grants permissions to an identity.
type ACL struct {
	Perms      int32
	Scheme, ID string
}

// WorldACL grants all to everybody.
func WorldACL() []ACL { return []ACL{{PermAll, "world", "anyone"}} }

// AppendACLs writes a vector of ACLs; nil is null.
func AppendACLs(b []byte, acls []ACL) []byte {
	if acls == nil {
		return AppendInt(b, -1)
	}
	b = AppendInt(b, int32(len(acls)))
	for _, a := range acls {
		b = AppendString(AppendString(AppendInt(b, a.Perms), a.Scheme), a.ID)
	}
	return b
}

// ACLs reads a vector of ACLs. A null scheme or id reads as an empty one, which no server accepts.
func (d *Decoder) ACLs() []ACL {
	n := d.vector(12)
	if n < 0 {
		return nil
	}
	v := make([]ACL, 0, n)
	for range n {
		v = append(v, ACL{Perms: d.Int(), Scheme: string(d.Buffer()), ID: string(d.Buffer())})
	}
	return v
}
