package jute

// PathRequest is the request of sync, getACL, getAllChildrenNumber.
type PathRequest struct{ Path string }

// Append writes the record.
func (r *PathRequest) Append(b []byte) []byte { return AppendString(b, r.Path) }

// Decode reads the record.
func (r *PathRequest) Decode(d *Decoder) { r.Path = d.String() }

// PathWatchRequest is the request of exists, getData, getChildren, getChildren2.
type PathWatchRequest struct {
	Path  string
	Watch bool
}

// Append writes the record.
func (r *PathWatchRequest) Append(b []byte) []byte {
	return AppendBool(AppendString(b, r.Path), r.Watch)
}

// Decode reads the record.
func (r *PathWatchRequest) Decode(d *Decoder) { r.Path, r.Watch = d.String(), d.Bool() }

// PathVersionRequest is the request of delete and check. Version -1 is any.
type PathVersionRequest struct {
	Path    string
	Version int32
}

// Append writes the record.
func (r *PathVersionRequest) Append(b []byte) []byte {
	return AppendInt(AppendString(b, r.Path), r.Version)
}

// Decode reads the record.
func (r *PathVersionRequest) Decode(d *Decoder) { r.Path, r.Version = d.String(), d.Int() }

// PathKindRequest is the request of addWatch (Kind is a mode), checkWatches and removeWatches (Kind is a kind of watch).
type PathKindRequest struct {
	Path string
	Kind int32
}

// Append writes the record.
func (r *PathKindRequest) Append(b []byte) []byte { return AppendInt(AppendString(b, r.Path), r.Kind) }

// Decode reads the record.
func (r *PathKindRequest) Decode(d *Decoder) { r.Path, r.Kind = d.String(), d.Int() }

// CreateRequest is the request of create, create2, createContainer and, with HasTTL, of createTTL.
type CreateRequest struct {
	Path   string
	Data   []byte
	ACL    []ACL
	Flags  int32
	HasTTL bool // set by who decodes, before decoding
	TTL    int64
}

// Append writes the record.
func (r *CreateRequest) Append(b []byte) []byte {
	b = AppendInt(AppendACLs(AppendBuffer(AppendString(b, r.Path), r.Data), r.ACL), r.Flags)
	if r.HasTTL {
		b = AppendLong(b, r.TTL)
	}
	return b
}

// Decode reads the record.
func (r *CreateRequest) Decode(d *Decoder) {
	r.Path, r.Data, r.ACL, r.Flags = d.String(), d.Buffer(), d.ACLs(), d.Int()
	if r.HasTTL {
		r.TTL = d.Long()
	}
}

// SetDataRequest is the request of setData.
type SetDataRequest struct {
	Path    string
	Data    []byte
	Version int32
}

// Append writes the record.
func (r *SetDataRequest) Append(b []byte) []byte {
	return AppendInt(AppendBuffer(AppendString(b, r.Path), r.Data), r.Version)
}

// Decode reads the record.
func (r *SetDataRequest) Decode(d *Decoder) {
	r.Path, r.Data, r.Version = d.String(), d.Buffer(), d.Int()
}

// SetACLRequest is the request of setACL.
type SetACLRequest struct {
	Path    string
	ACL     []ACL
	Version int32
}

// Append writes the record.
func (r *SetACLRequest) Append(b []byte) []byte {
	return AppendInt(AppendACLs(AppendString(b, r.Path), r.ACL), r.Version)
}

// Decode reads the record.
func (r *SetACLRequest) Decode(d *Decoder) { r.Path, r.ACL, r.Version = d.String(), d.ACLs(), d.Int() }

// AuthRequest is the request of auth.
type AuthRequest struct {
	Type   int32
	Scheme string
	Auth   []byte
}

// Append writes the record.
func (r *AuthRequest) Append(b []byte) []byte {
	return AppendBuffer(AppendString(AppendInt(b, r.Type), r.Scheme), r.Auth)
}

// Decode reads the record.
func (r *AuthRequest) Decode(d *Decoder) { r.Type, r.Scheme, r.Auth = d.Int(), d.String(), d.Buffer() }

// SetWatchesRequest is the request of setWatches and, with Two, of setWatches2.
type SetWatchesRequest struct {
	Two                   bool // set by who decodes, before decoding
	RelativeZxid          int64
	Data, Exist, Child    []string
	Persistent, Recursive []string
}

// Append writes the record.
func (r *SetWatchesRequest) Append(b []byte) []byte {
	b = AppendLong(b, r.RelativeZxid)
	b = AppendStrings(AppendStrings(AppendStrings(b, r.Data), r.Exist), r.Child)
	if r.Two {
		b = AppendStrings(AppendStrings(b, r.Persistent), r.Recursive)
	}
	return b
}

// Decode reads the record.
func (r *SetWatchesRequest) Decode(d *Decoder) {
	r.RelativeZxid, r.Data, r.Exist, r.Child = d.Long(), d.Strings(), d.Strings(), d.Strings()
	if r.Two {
		r.Persistent, r.Recursive = d.Strings(), d.Strings()
	}
}

// GetEphemeralsRequest is the request of getEphemerals; no prefix asks for all.
type GetEphemeralsRequest struct{ Prefix *string }

// Append writes the record.
func (r *GetEphemeralsRequest) Append(b []byte) []byte { return AppendNullString(b, r.Prefix) }

// Decode reads the record.
func (r *GetEphemeralsRequest) Decode(d *Decoder) { r.Prefix = d.NullString() }
