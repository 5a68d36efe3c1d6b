package jute

// PathResponse is the response of create and sync.
type PathResponse struct{ Path string }

// Append writes the record.
func (r *PathResponse) Append(b []byte) []byte { return AppendString(b, r.Path) }

// Decode reads the record.
func (r *PathResponse) Decode(d *Decoder) { r.Path = d.String() }

// PathStatResponse is the response of create2, createContainer and createTTL.
type PathStatResponse struct {
	Path string
	Stat Stat
}

// Append writes the record.
func (r *PathStatResponse) Append(b []byte) []byte { return r.Stat.Append(AppendString(b, r.Path)) }

// Decode reads the record.
func (r *PathStatResponse) Decode(d *Decoder) { r.Path = d.String(); r.Stat.Decode(d) }

// DataResponse is the response of getData.
type DataResponse struct {
	Data []byte
	Stat Stat
}

// Append writes the record.
func (r *DataResponse) Append(b []byte) []byte { return r.Stat.Append(AppendBuffer(b, r.Data)) }

// Decode reads the record.
func (r *DataResponse) Decode(d *Decoder) { r.Data = d.Buffer(); r.Stat.Decode(d) }

// StringsResponse is the response of getChildren and getEphemerals.
type StringsResponse struct{ Strings []string }

// Append writes the record.
func (r *StringsResponse) Append(b []byte) []byte { return AppendStrings(b, r.Strings) }

// Decode reads the record.
func (r *StringsResponse) Decode(d *Decoder) { r.Strings = d.Strings() }

// ChildrenResponse is the response of getChildren2.
type ChildrenResponse struct {
	Children []string
	Stat     Stat
}

// Append writes the record.
func (r *ChildrenResponse) Append(b []byte) []byte {
	return r.Stat.Append(AppendStrings(b, r.Children))
}

// Decode reads the record.
func (r *ChildrenResponse) Decode(d *Decoder) { r.Children = d.Strings(); r.Stat.Decode(d) }

// ACLResponse is the response of getACL.
type ACLResponse struct {
	ACL  []ACL
	Stat Stat
}

// Append writes the record.
func (r *ACLResponse) Append(b []byte) []byte { return r.Stat.Append(AppendACLs(b, r.ACL)) }

// Decode reads the record.
func (r *ACLResponse) Decode(d *Decoder) { r.ACL = d.ACLs(); r.Stat.Decode(d) }

// IntResponse is the response of getAllChildrenNumber, and of addWatch, where it is an error code.
type IntResponse struct{ Value int32 }

// Append writes the record.
func (r *IntResponse) Append(b []byte) []byte { return AppendInt(b, r.Value) }

// Decode reads the record.
func (r *IntResponse) Decode(d *Decoder) { r.Value = d.Int() }

// ClientInfo is one identity of a client.
type ClientInfo struct{ Scheme, User string }

// WhoAmIResponse is the response of whoAmI.
type WhoAmIResponse struct{ Clients []ClientInfo }

// Append writes the record.
func (r *WhoAmIResponse) Append(b []byte) []byte {
	b = AppendInt(b, int32(len(r.Clients)))
	for _, c := range r.Clients {
		b = AppendString(AppendString(b, c.Scheme), c.User)
	}
	return b
}

// Decode reads the record.
func (r *WhoAmIResponse) Decode(d *Decoder) {
	r.Clients = nil
	for range max(0, d.vector(8)) {
		r.Clients = append(r.Clients, ClientInfo{d.String(), d.String()})
	}
}
