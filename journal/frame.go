package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
)

// A record is a line: eight hex digits for the length of the text, eight for its CRC-32C, the text, which is JSON and
// so has no line feed, and one. grep finds what it looks for, and a line that is torn or damaged costs only itself.
const (
	headLen = 18
	// maxText bounds a record; whatever says it is longer is damaged.
	maxText = 16 << 20
)

var table = crc32.MakeTable(crc32.Castagnoli)

// appendFrame adds a record to buf.
func appendFrame(buf, text []byte) []byte {
	return append(append(fmt.Appendf(buf, "%08x %08x ", len(text), crc32.Checksum(text, table)), text...), '\n')
}

// errDamaged: a line that is no record.
var errDamaged = errors.New("damaged record")

// parseFrame returns the text of a line with its line feed.
func parseFrame(line []byte) ([]byte, error) {
	if len(line) < headLen+1 || line[8] != ' ' || line[17] != ' ' || line[len(line)-1] != '\n' {
		return nil, errDamaged
	}
	text := line[headLen : len(line)-1]
	size, err := strconv.ParseUint(string(line[:8]), 16, 32)
	sum, err2 := strconv.ParseUint(string(line[9:17]), 16, 32)
	if err != nil || err2 != nil || size != uint64(len(text)) || uint32(sum) != crc32.Checksum(text, table) {
		return nil, errDamaged
	}
	return text, nil
}

// seqOf reads the number that every text begins with.
func seqOf(text []byte) (uint64, error) {
	rest, ok := bytes.CutPrefix(text, []byte(`{"seq":`))
	i := bytes.IndexByte(rest, ',')
	if !ok || i < 0 {
		return 0, errDamaged
	}
	n, err := strconv.ParseUint(string(rest[:i]), 10, 64)
	if err != nil || n == 0 {
		return 0, errDamaged
	}
	return n, nil
}

// scan calls f with the number, the text and the line of each record, in order, until f returns false. What is damaged
// is skipped and counted; end is behind the last whole record, and what follows it counts as damaged. Memory is bounded
// by maxText.
func scan(r io.Reader, f func(seq uint64, text, line []byte) bool) (end int64, damaged int, err error) {
	b := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	var at int64
	for {
		line, err = readLine(b, line[:0])
		at += int64(len(line))
		if len(line) > 0 {
			text, bad := parseFrame(line)
			var seq uint64
			if bad == nil {
				seq, bad = seqOf(text)
			}
			if bad != nil {
				damaged++
			} else {
				end = at
				if !f(seq, text, line) {
					return end, damaged, nil
				}
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return end, damaged, nil
		default:
			return end, damaged, err
		}
	}
}

// readLine reads up to a line feed, or as much as a record can have.
func readLine(b *bufio.Reader, line []byte) ([]byte, error) {
	for {
		part, err := b.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) || len(line) > maxText+headLen {
			if errors.Is(err, bufio.ErrBufferFull) {
				err = nil
			}
			return line, err
		}
	}
}
