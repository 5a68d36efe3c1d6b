package zkstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// object is a JSON object of which only the keys we use are looked at, strictly: a
// wrong type is an error, an unknown key is not. This is what Kafka's readers do.
type object map[string]json.RawMessage

func parseObject(data []byte) (object, error) {
	var o object
	if len(data) == 0 {
		return nil, fmt.Errorf("expected a JSON object, found nothing")
	}
	if err := json.Unmarshal(data, &o); err != nil || o == nil {
		return nil, fmt.Errorf("expected a JSON object, found %s", excerpt(data))
	}
	return o, nil
}

// field decodes a key; a null counts as missing, as encoding/json would otherwise
// quietly leave a zero.
func field[T any](o object, key, kind string) (v T, ok bool, err error) {
	raw, ok := o[key]
	if !ok || bytes.Equal(raw, []byte("null")) {
		return v, false, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, false, fmt.Errorf("expected %q to be %s, found %s", key, kind, excerpt(raw))
	}
	return v, true, nil
}

func required[T any](o object, key, kind string) (T, error) {
	v, ok, err := field[T](o, key, kind)
	if err == nil && !ok {
		err = fmt.Errorf("expected a key %q with %s, found none", key, kind)
	}
	return v, err
}

const (
	kindInt     = "a 32-bit integer"
	kindString  = "a string"
	kindObject  = "an object"
	kindInts    = "a list of 32-bit integers"
	kindStrings = "a list of strings"
)

// checkVersion accepts a missing version, as Kafka ignores it where this is used.
func checkVersion(o object, lo, hi int32) error {
	v, ok, err := field[int32](o, "version", kindInt)
	if err == nil && ok && (v < lo || v > hi) {
		if lo == hi {
			return fmt.Errorf("expected version %d, found %d", lo, v)
		}
		return fmt.Errorf("expected version %d to %d, found %d", lo, hi, v)
	}
	return err
}

// ints decodes a list of ids. Elements are pointers because a null element would
// otherwise become broker 0.
func ints(raw json.RawMessage, what string) ([]int32, error) {
	var list []*int32
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("expected %s to be %s, found %s", what, kindInts, excerpt(raw))
	}
	out := make([]int32, 0, len(list))
	for _, p := range list {
		switch {
		case p == nil || *p < 0:
			return nil, fmt.Errorf("expected %s to hold ids of 0 and more, found %s", what, excerpt(raw))
		case slices.Contains(out, *p):
			return nil, fmt.Errorf("expected %s to hold distinct ids, found %s", what, excerpt(raw))
		}
		out = append(out, *p)
	}
	return out, nil
}

// excerpt shortens what was found for a reason text.
func excerpt(b []byte) string {
	const most = 60
	if len(b) > most {
		return strconv.Quote(string(b[:most])) + fmt.Sprintf("… (%d bytes)", len(b))
	}
	return strconv.Quote(string(b))
}

// mustJSON encodes values that cannot fail: strings, integers and lists of them.
func mustJSON(v any) []byte {
	b := &bytes.Buffer{}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
