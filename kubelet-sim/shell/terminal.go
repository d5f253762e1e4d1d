package shell

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine bounds a line that somebody types, in bytes.
const maxLine = 64 << 10

var errInterrupted = errors.New("interrupted")

// terminal is the line discipline: with -t the client's terminal sends each key as it is.
type terminal struct {
	in  *bufio.Reader
	out io.Writer
}

func newTerminal(in io.Reader, out io.Writer) *terminal {
	return &terminal{in: bufio.NewReader(in), out: out}
}

// line reads a line. The end is Ctrl-D on an empty one, or that of the input.
func (t *terminal) line(prompt string) (string, error) {
	io.WriteString(t.out, prompt)
	var line []byte
	for {
		c, err := t.in.ReadByte()
		if err != nil {
			return "", err
		}
		switch {
		case c == '\r' || c == '\n':
			io.WriteString(t.out, "\n")
			return string(line), nil
		case c == 3: // Ctrl-C
			io.WriteString(t.out, "^C\n")
			return "", errInterrupted
		case c == 4 && len(line) == 0: // Ctrl-D
			io.WriteString(t.out, "\n")
			return "", io.EOF
		case c == 0x7f || c == 8:
			if len(line) > 0 {
				line = line[:len(line)-1]
				io.WriteString(t.out, "\b \b")
			}
		case c == 0x1b: // arrows and the like: ESC [ parameters letter
			if next, err := t.in.ReadByte(); err == nil && next == '[' {
				for next, err = t.in.ReadByte(); err == nil && (next < '@' || next > '~'); {
					next, err = t.in.ReadByte()
				}
			}
		case c >= ' ' && len(line) < maxLine:
			line = append(line, c)
			t.out.Write([]byte{c})
		}
	}
}

// crlf ends lines as terminals want it.
type crlf struct{ w io.Writer }

func (c *crlf) Write(p []byte) (int, error) {
	if _, err := c.w.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}
