package registry

import (
	"bufio"
	"bytes"
	"context"
	"io"
)

// checkEvery is after how many lines the reading of lines looks whether its context has ended.
const checkEvery = 1024

// place is where a line ends.
type place struct {
	line int64 // its number, from 1
	end  int64 // bytes up to its end
}

// eachLine calls f for every line, without its end and, in the first, without a byte order mark. A first line that names the
// fields comes as an empty one. Of a line that is too long come the first maxLine+1 bytes. It returns the error of f, of
// reading, or of the context. The line is f's until f returns.
func eachLine(ctx context.Context, r io.Reader, f func(at place, line []byte) error) error {
	reader := bufio.NewReaderSize(r, 64<<10)
	for at := (place{}); ; {
		line, length, err := readLine(reader)
		if err != nil && err != io.EOF {
			return err
		}
		if length == 0 {
			return nil
		}
		at.line++
		at.end += int64(length)
		if at.line == 1 {
			if line = bytes.TrimPrefix(line, []byte("\ufeff")); isHeader(line) {
				line = nil
			}
		}
		if at.line%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := f(at, line); err != nil {
			return err
		}
	}
}

// readLine returns a line without its end, and its length with it. Of one that is too long it returns the beginning. After
// the last line the length is 0.
func readLine(r *bufio.Reader) (line []byte, length int, err error) {
	line, err = r.ReadSlice('\n')
	length = len(line)
	if err == bufio.ErrBufferFull {
		line = bytes.Clone(line[:maxLine+1])
		for err == bufio.ErrBufferFull {
			var more []byte
			more, err = r.ReadSlice('\n')
			length += len(more)
		}
		return line, length, err
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), length, err
}
