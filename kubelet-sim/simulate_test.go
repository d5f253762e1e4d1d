package kubeletsim

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSimulated(t *testing.T) {
	for _, test := range []struct {
		args   []string
		takes  time.Duration
		code   int32
		output string
	}{
		{args: []string{"true"}},
		{args: []string{"/bin/false"}, code: 1},
		{args: []string{"echo", "hello", "world"}, output: "hello world\n"},
		{args: []string{"echo", "-n", "hello"}, output: "hello"},
		{args: []string{"sleep", "5"}, takes: 5 * time.Second},
		{args: []string{"sleep", "1m", "0.5"}, takes: time.Minute + 500*time.Millisecond},
		{args: []string{"sh", "-c", "exit 7"}, code: 7},
		{args: []string{"sh", "-c", "exit 256"}, code: 0},
		{args: []string{"sh", "-c", "false; exit"}, code: 1},
		{args: []string{"/bin/bash", "-ec", "echo 'a; b' \"c && d\" && sleep 2 && false && echo never; echo then"}, takes: 2 * time.Second, output: "a; b c && d\nthen\n"},
		{args: []string{"sh", "-c", "true\necho one\n\nexit 3\necho never"}, code: 3, output: "one\n"},
		{args: []string{"sh", "-c", "echo done; sleep 1"}, takes: time.Second, output: "done\n"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var output bytes.Buffer
				start := time.Now()
				exit, err := Simulated{}.Start(t.Context(), Process{Args: test.args, Stdout: &output, StartedAt: start, Stop: make(chan struct{})})
				if err != nil {
					t.Fatal(err)
				}
				if got := <-exit; got.Code != test.code {
					t.Errorf("code %d, want %d", got.Code, test.code)
				}
				if took := time.Since(start); took != test.takes {
					t.Errorf("took %v, want %v", took, test.takes)
				}
				if output.String() != test.output {
					t.Errorf("output %q, want %q", output.String(), test.output)
				}
			})
		})
	}
}

// What it cannot carry out to the letter it does not carry out at all.
func TestSimulated_ServesWhatItDoesNotUnderstand(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"nginx", "-g", "daemon off;"},
		{"exit", "1"}, // no program
		{"sleep"},
		{"sleep", "infinity"},
		{"sleep", "-1"},
		{"sleep", "1e300"},
		{"sleep", "NaN"},
		{"sh"},
		{"sh", "script.sh"},
		{"sh", "-c", ""},
		{"sh", "-c", "echo $HOME"},
		{"sh", "-c", "echo \"$HOME\""},
		{"sh", "-c", "echo `id`"},
		{"sh", "-c", "sleep 1 &"},
		{"sh", "-c", "sleep 1 | true"},
		{"sh", "-c", "true || false"},
		{"sh", "-c", "while true; do sleep 1; done"},
		{"sh", "-c", "echo 'unfinished"},
		{"sh", "-c", "exit 1 2"},
		{"sh", "-c", "true > /etc/passwd"},
		{"sh", "-c", "A=1 true"},
		{"python", "-c", "exit(1)"},
	} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop := make(chan struct{})
				exit, err := Simulated{}.Start(t.Context(), Process{Args: args, Stop: stop})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(1000 * time.Hour) // of the bubble's clock
				select {
				case got := <-exit:
					t.Fatalf("it ended: %+v", got)
				default:
				}
				close(stop)
				if got := <-exit; got != (Exit{}) {
					t.Errorf("asked to stop, it ended with %+v", got)
				}
			})
		})
	}
}

func TestSimulated_Signals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		exit, _ := Simulated{}.Start(t.Context(), Process{Args: []string{"sleep", "60"}, Stop: stop})
		close(stop)
		if got := <-exit; got != terminated {
			t.Errorf("a sleeper asked to stop ended with %+v", got)
		}
		for _, args := range [][]string{{"sleep", "60"}, {"nginx"}} {
			ctx, kill := context.WithCancel(t.Context())
			exit, _ := Simulated{}.Start(ctx, Process{Args: args, Stop: make(chan struct{})})
			kill()
			if got := <-exit; got != killed {
				t.Errorf("%v killed ended with %+v", args, got)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("echo 'a' && sleep 1; exit 3")
	f.Add("sleep 9999999999999d\n\n;;&&")
	f.Fuzz(func(t *testing.T, script string) {
		commands, ok := parse([]string{"sh", "-c", script})
		if ok && len(commands) == 0 {
			t.Error("understood, but nothing to do")
		}
		for _, c := range commands {
			if ok && (c.duration < 0 || c.duration > longestSleep || c.number > 255) {
				t.Errorf("%q: %+v", script, c)
			}
		}
	})
}
