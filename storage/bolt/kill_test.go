package bolt

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// childEnv names the file that a child process writes to until it is killed.
const childEnv = "CORACLE_BOLT_TEST_WRITE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		writeUntilKilled(path)
		return
	}
	goleak.VerifyTestMain(m)
}

// writeUntilKilled prints every write when it is acknowledged: "key revision".
func writeUntilKilled(path string) {
	s, err := Open(path, Options{}) // with fsync, as when serving
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	acknowledged := make(chan string, 64)
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				k := fmt.Sprintf("/%d/%d/%d", os.Getpid(), w, i)
				rev, err := s.Create(context.Background(), k, make([]byte, 300))
				if err == nil && i%3 == 0 {
					rev, err = s.Update(context.Background(), k, []byte("again"), rev)
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				acknowledged <- k + " " + strconv.FormatInt(rev, 10)
			}
		}()
	}
	for line := range acknowledged {
		fmt.Println(line)
	}
}

func TestKill_LosesNothingThatWasAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	var acknowledged []string
	for round := range 3 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childEnv+"="+path)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			acknowledged = append(acknowledged, lines.Text())
			if n == 100+17*round {
				child.Process.Kill() // what is in the pipe by then was acknowledged as well
			}
		}
		child.Wait()
	}
	if len(acknowledged) < 300 {
		t.Fatalf("only %d writes were acknowledged", len(acknowledged))
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	check(t, s)
	for _, line := range acknowledged {
		k, rev, ok := strings.Cut(line, " ")
		if !ok {
			continue // cut off in the middle of a line
		}
		got, err := s.Get(t.Context(), k)
		if err != nil || strconv.FormatInt(got.Revision, 10) != rev {
			t.Errorf("%s was acknowledged at revision %s, and is now at %d: %v", k, rev, got.Revision, err)
		}
	}
}
