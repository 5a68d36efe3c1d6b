package snapshot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxBytes bounds a document that is read: a million partitions have a quarter of it.
const maxBytes = 1 << 30

// Encode writes a document with a line for each topic, so that nobody needs the whole text at once.
func (d *Document) Encode(w io.Writer) error {
	head := *d
	head.Topics = []Topic{}
	text, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	out := bufio.NewWriterSize(w, 1<<16)
	text, ok := bytes.CutSuffix(text, []byte(`]}`)) // topics is the last key
	if !ok {
		return errors.New("snapshot: the document does not end with its topics")
	}
	_, _ = out.Write(text) // Flush tells
	for i := range d.Topics {
		if text, err = json.Marshal(&d.Topics[i]); err != nil {
			return fmt.Errorf("snapshot: topic %s: %w", d.Topics[i].Name, err)
		}
		if i > 0 {
			_ = out.WriteByte(',')
		}
		_ = out.WriteByte('\n')
		_, _ = out.Write(text)
	}
	_, _ = out.WriteString("]}\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// Decode reads a document. What no controller could have written is an error that names it.
func Decode(r io.Reader) (*Document, error) {
	limited := &io.LimitedReader{R: r, N: maxBytes}
	dec := json.NewDecoder(limited)
	d := &Document{}
	err := dec.Decode(d)
	switch {
	case err != nil && limited.N == 0:
		return nil, fmt.Errorf("snapshot: more than %d bytes", maxBytes)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("snapshot: it is cut off")
	case err != nil:
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if err := d.valid(); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return d, nil
}
