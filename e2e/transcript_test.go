package e2e

import (
	"bytes"
	"fmt"
	"os"
	"sync"
)

// transcript keeps what a server prints, in memory and, if it is given a name, in a file that scripts look at.
type transcript struct {
	file string

	mu   sync.Mutex // guards what follows
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file != "" {
		f, err := os.OpenFile(t.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		if _, err := f.Write(p); err != nil {
			return 0, err
		}
	}
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// printLog is the command log.
func printLog() {
	data, err := os.ReadFile(os.Getenv("SERVER_LOG"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "log:", err)
		os.Exit(1)
	}
	os.Stdout.Write(data)
}
