package jute

import "fmt"

// MultiHeader precedes each operation and each result of a multi, and ends both with Done.
type MultiHeader struct {
	Op   Op
	Done bool
	Err  Code
}

// Append writes the record.
func (r *MultiHeader) Append(b []byte) []byte {
	return AppendInt(AppendBool(AppendInt(b, int32(r.Op)), r.Done), int32(r.Err))
}

// Decode reads the record.
func (r *MultiHeader) Decode(d *Decoder) { r.Op, r.Done, r.Err = Op(d.Int()), d.Bool(), Code(d.Int()) }

// MultiOp is one operation: the record that Op asks for.
type MultiOp struct {
	Op      Op
	Request Record
}

// MultiRequest is the request of multi and multiRead.
type MultiRequest struct{ Ops []MultiOp }

// Append writes the record.
func (r *MultiRequest) Append(b []byte) []byte {
	for _, o := range r.Ops {
		b = o.Request.Append((&MultiHeader{Op: o.Op, Err: -1}).Append(b))
	}
	return (&MultiHeader{Op: OpError, Done: true, Err: -1}).Append(b)
}

// NewMultiRequest returns an empty record for an operation that may stand in a multi or multiRead, or nil.
func NewMultiRequest(op Op) Record {
	switch op {
	case OpCreate, OpCreate2, OpCreateContainer:
		return &CreateRequest{}
	case OpCreateTTL:
		return &CreateRequest{HasTTL: true}
	case OpDelete, OpCheck:
		return &PathVersionRequest{}
	case OpSetData:
		return &SetDataRequest{}
	case OpGetData, OpGetChildren:
		return &PathWatchRequest{}
	}
	return nil
}

// Decode reads the record.
func (r *MultiRequest) Decode(d *Decoder) {
	r.Ops = nil
	for d.err == nil {
		var h MultiHeader
		h.Decode(d)
		if h.Done || d.err != nil {
			return
		}
		rec := NewMultiRequest(h.Op)
		if rec == nil {
			d.Fail(fmt.Errorf("jute: %v in a multi", h.Op))
			return
		}
		rec.Decode(d)
		r.Ops = append(r.Ops, MultiOp{h.Op, rec})
	}
}

// MultiResult is the result of one operation. Op is OpError in a multi that failed, and then Err tells more: OK for the
// operations before the one that failed, RuntimeInconsistency for those after it.
type MultiResult struct {
	Op       Op
	Err      Code
	Response Record // nil where there is none
}

// MultiResponse is the response of multi and multiRead.
type MultiResponse struct{ Results []MultiResult }

// Append writes the record.
func (r *MultiResponse) Append(b []byte) []byte {
	for _, res := range r.Results {
		b = (&MultiHeader{Op: res.Op, Err: res.Err}).Append(b)
		switch {
		case res.Op == OpError:
			b = AppendInt(b, int32(res.Err))
		case res.Response != nil:
			b = res.Response.Append(b)
		}
	}
	return (&MultiHeader{Op: OpError, Done: true, Err: -1}).Append(b)
}

func newMultiResponse(op Op) (Record, bool) {
	switch op {
	case OpCreate:
		return &PathResponse{}, true
	case OpCreate2:
		return &PathStatResponse{}, true
	case OpSetData:
		return &Stat{}, true
	case OpGetData:
		return &DataResponse{}, true
	case OpGetChildren:
		return &StringsResponse{}, true
	case OpDelete, OpCheck:
		return nil, true
	}
	return nil, false
}

// Decode reads the record.
func (r *MultiResponse) Decode(d *Decoder) {
	r.Results = nil
	for d.err == nil {
		var h MultiHeader
		h.Decode(d)
		if h.Done || d.err != nil {
			return
		}
		res := MultiResult{Op: h.Op, Err: h.Err}
		if h.Op == OpError {
			res.Err = Code(d.Int())
		} else {
			rec, ok := newMultiResponse(h.Op)
			if !ok {
				d.Fail(fmt.Errorf("jute: result of %v in a multi", h.Op))
				return
			}
			if rec != nil {
				rec.Decode(d)
			}
			res.Response = rec
		}
		r.Results = append(r.Results, res)
	}
}
