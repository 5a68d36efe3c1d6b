package config

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

// maxFileBytes bounds what is read as a properties file, so that a wrong path (a log, a device) fails instead of
// filling the memory.
const maxFileBytes = 1 << 20

// Property is one key with its raw value and the line (from 1) on which its definition starts.
type Property struct {
	Key, Value string
	Line       int
}

// SyntaxError is a line that is not properties text.
type SyntaxError struct {
	File   string
	Line   int
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason) }

// ParseProperties reads Java .properties text as java.util.Properties.load(InputStream) does, which is how a broker
// reads its server.properties: bytes are ISO-8859-1, '#' and '!' start comment lines, '=', ':' or white space ends
// the key, '\' escapes (\t \n \r \f \uXXXX, any other character stands for itself) and joins lines. "${...}" is left
// alone: for Kafka that is a config provider's business. (Two differences from Java, both without a use: half of a
// surrogate pair becomes U+FFFD, and a file that ends in a lone '\' line has no empty key because of it.) Keys come back in order of first appearance, a later
// duplicate replaces value and line. name is used in errors only; the error is a *SyntaxError or the reader's.
func ParseProperties(r io.Reader, name string) ([]Property, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("%s: larger than %d bytes, not a properties file", name, maxFileBytes)
	}
	var out []Property
	index := make(map[string]int)
	sc := lineScanner{rest: data}
	for {
		text, line, ok := sc.logical()
		if !ok {
			return out, nil
		}
		rawKey, rawValue := splitKey(text)
		key, err := unescape(rawKey)
		if err != nil {
			return nil, &SyntaxError{File: name, Line: line, Reason: err.Error()}
		}
		value, err := unescape(rawValue)
		if err != nil {
			return nil, &SyntaxError{File: name, Line: line, Reason: err.Error()}
		}
		p := Property{Key: key, Value: value, Line: line}
		if i, dup := index[key]; dup {
			out[i] = p
			continue
		}
		index[key] = len(out)
		out = append(out, p)
	}
}

// lineScanner yields logical lines: comments and blank lines dropped, continued lines joined.
type lineScanner struct {
	rest []byte
	line int // number of the physical line read last
}

// physical returns the next line without its terminator (\n, \r or \r\n).
func (s *lineScanner) physical() ([]byte, bool) {
	if len(s.rest) == 0 {
		return nil, false
	}
	s.line++
	for i, c := range s.rest {
		if c != '\n' && c != '\r' {
			continue
		}
		text := s.rest[:i]
		if c == '\r' && i+1 < len(s.rest) && s.rest[i+1] == '\n' {
			i++
		}
		s.rest = s.rest[i+1:]
		return text, true
	}
	text := s.rest
	s.rest = nil
	return text, true
}

func (s *lineScanner) logical() (text []byte, line int, ok bool) {
	for {
		raw, ok := s.physical()
		if !ok {
			return nil, 0, false
		}
		part := trimLeft(raw)
		if len(part) == 0 || part[0] == '#' || part[0] == '!' {
			continue
		}
		if len(part) == 1 && part[0] == '\\' {
			continue // joins nothing to the next line, which may still be a comment
		}
		line = s.line
		text = nil
		for continued(part) {
			text = append(text, part[:len(part)-1]...)
			next, more := s.physical()
			if !more {
				part = nil
				break
			}
			// A comment sign that opens a continuation is text.
			part = trimLeft(next)
		}
		text = append(text, part...)
		if len(text) > 0 {
			return text, line, true
		}
	}
}

// continued reports an odd number of trailing backslashes: an even number is escaped backslashes.
func continued(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\f' }

func trimLeft(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	return b
}

// splitKey cuts at the first separator that is not escaped: white space with at most one '=' or ':' within it.
func splitKey(b []byte) (key, value []byte) {
	end := 0
	for end < len(b) && !isBlank(b[end]) && b[end] != '=' && b[end] != ':' {
		if b[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(b))
	rest := trimLeft(b[end:])
	if len(rest) > 0 && (rest[0] == '=' || rest[0] == ':') {
		rest = trimLeft(rest[1:])
	}
	return b[:end], rest
}

// unescape decodes ISO-8859-1 bytes and escapes. It collects UTF-16 units because \uXXXX names units: a character
// outside the basic plane is written as two of them.
func unescape(b []byte) (string, error) {
	units := make([]uint16, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			units = append(units, uint16(b[i]))
			continue
		}
		i++
		if i == len(b) {
			break
		}
		switch c := b[i]; c {
		case 't':
			units = append(units, '\t')
		case 'n':
			units = append(units, '\n')
		case 'r':
			units = append(units, '\r')
		case 'f':
			units = append(units, '\f')
		case 'u':
			u, ok := hex4(b[i+1:])
			if !ok {
				return "", fmt.Errorf(`malformed \u escape: expected four hexadecimal digits after \u`)
			}
			units = append(units, u)
			i += 4
		default:
			units = append(units, uint16(c))
		}
	}
	return string(utf16.Decode(units)), nil
}

func hex4(b []byte) (uint16, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var u uint16
	for _, c := range b[:4] {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if d < 0 || c < '0' {
			return 0, false
		}
		u = u<<4 | uint16(d)
	}
	return u, true
}
