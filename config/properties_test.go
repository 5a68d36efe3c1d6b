package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestParseProperties holds what java.util.Properties.load (Java 17) reads, plus the lines.
func TestParseProperties(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", `[]`},
		{"separators", "a=1\nb:2\nc 3\nd\t4\ne = 5\nf  :\t6", `[{"a" "1" 1} {"b" "2" 2} {"c" "3" 3} {"d" "4" 4} {"e" "5" 5} {"f" "6" 6}]`},
		{"only the first separator", "a==b\nc:=d", `[{"a" "=b" 1} {"c" "=d" 2}]`},
		{"escaped separators", `a\ b\=c\:d=e\=f`, `[{"a b=c:d" "e=f" 1}]`},
		{"comments and blanks", "  # a=1\n\t!b=2\n\n \f\nc=#3\nd=!4", `[{"c" "#3" 5} {"d" "!4" 6}]`},
		{"trailing blanks stay", "a=1 \t", `[{"a" "1 \t" 1}]`},
		{"no value", "a\nb=\nc:", `[{"a" "" 1} {"b" "" 2} {"c" "" 3}]`},
		{"no key", "=1", `[{"" "1" 1}]`},
		{"continuation", "a=1,\\\n   2,\\\r\n\t3\nb=4", `[{"a" "1,2,3" 1} {"b" "4" 4}]`},
		{"continuation into a comment sign", "a=1\\\n#2", `[{"a" "1#2" 1}]`},
		{"continuation of nothing", "\\\n# comment\nb=2", `[{"b" "2" 3}]`},
		{"continuation into a blank line", "a=1\\\n\nb=2", `[{"a" "1" 1} {"b" "2" 3}]`},
		{"continuation at the end", `a=1\`, `[{"a" "1" 1}]`},
		{"comment does not continue", "# a\\\nb=2", `[{"b" "2" 2}]`},
		{"two backslashes do not continue", "a=1\\\\\nb=2", `[{"a" "1\\" 1} {"b" "2" 2}]`},
		{"escapes", `a=\t\n\r\f\q\\`, `[{"a" "\t\n\r\fq\\" 1}]`},
		{"unicode", `\u0061=\u00e9\uD83D\ude00`, `[{"a" "é😀" 1}]`},
		{"bytes are ISO-8859-1", "a=\xe9", `[{"a" "é" 1}]`},
		{"later duplicate", "a=1\nb=2\na=3", `[{"a" "3" 3} {"b" "2" 2}]`},
		{"line ends", "a=1\rb=2\r\nc=3\n\rd=4", `[{"a" "1" 1} {"b" "2" 2} {"c" "3" 3} {"d" "4" 5}]`},
		{"config provider", "a=${file:/etc/x:y}", `[{"a" "${file:/etc/x:y}" 1}]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			props, err := ParseProperties(strings.NewReader(tt.text), "f")
			if err != nil {
				t.Fatal(err)
			}
			var parts []string
			for _, p := range props {
				parts = append(parts, fmt.Sprintf("{%q %q %d}", p.Key, p.Value, p.Line))
			}
			if got := "[" + strings.Join(parts, " ") + "]"; got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestMalformedEscapeNamesFileAndLine(t *testing.T) {
	for _, bad := range []string{`\u`, `\u12`, `\u00g1`, `\u 041`} {
		_, err := ParseProperties(strings.NewReader("a=1\n\nb=2\\\n"+bad), "server.properties")
		var se *SyntaxError
		if !errors.As(err, &se) || se.Line != 3 || !strings.HasPrefix(err.Error(), "server.properties:3: malformed") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestHugeFileRefused(t *testing.T) {
	_, err := ParseProperties(strings.NewReader(strings.Repeat("#", maxFileBytes+1)), "f")
	if err == nil || !strings.Contains(err.Error(), "not a properties file") {
		t.Error(err)
	}
}

type brokenReader struct{}

var errBroken = errors.New("disk gone")

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func TestReadErrorNamesFile(t *testing.T) {
	_, err := ParseProperties(brokenReader{}, "f.properties")
	if !errors.Is(err, errBroken) || !strings.HasPrefix(err.Error(), "f.properties: ") {
		t.Error(err)
	}
}

// FuzzParseProperties checks that whatever is read survives being written with every character escaped.
func FuzzParseProperties(f *testing.F) {
	for _, s := range []string{"a=1", "a\\\n b:c", `\u0041=\\`, "#x\r\ny z\\", "a=1\\\n\n=2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		props, err := ParseProperties(strings.NewReader(string(data)), "fuzz")
		if err != nil {
			return
		}
		var b strings.Builder
		for _, p := range props {
			if p.Line < 1 {
				t.Fatalf("line %d", p.Line)
			}
			b.WriteString(escapeAll(p.Key) + "=" + escapeAll(p.Value) + "\n")
		}
		again, err := ParseProperties(strings.NewReader(b.String()), "again")
		if err != nil || len(again) != len(props) {
			t.Fatalf("%d properties became %d: %v", len(props), len(again), err)
		}
		for i := range props {
			if props[i].Key != again[i].Key || props[i].Value != again[i].Value {
				t.Fatalf("%+v became %+v", props[i], again[i])
			}
		}
	})
}

func escapeAll(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, `\u%04x`, u)
	}
	return b.String()
}
