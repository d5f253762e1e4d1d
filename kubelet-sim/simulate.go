package kubeletsim

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Simulated is the Runtime that comes with the package. A container whose command is made of true, false, echo,
// sleep and exit does what that says; any other container serves until it is asked to stop, and then ends well.
type Simulated struct {
	// Now tells the time. nil means time.Now.
	Now func() time.Time
}

// Start implements Runtime.
func (s Simulated) Start(ctx context.Context, p Process) (<-chan Exit, error) {
	exit := make(chan Exit, 1)
	script, ok := parse(p.Args)
	if !ok {
		go func() { exit <- serve(ctx, p.Stop) }()
		return exit, nil
	}
	past := time.Duration(0) // how far a resumed process had got
	if p.Resumed {
		now := time.Now
		if s.Now != nil {
			now = s.Now
		}
		past = now().Sub(p.StartedAt)
	}
	go func() { exit <- run(ctx, script, p.Stdout, past, p.Stop) }()
	return exit, nil
}

// serve is a well-behaved server.
func serve(ctx context.Context, stop <-chan struct{}) Exit {
	select {
	case <-ctx.Done():
		return killed
	case <-stop:
		return Exit{}
	}
}

// run carries out a script. What the past covers is skipped.
func run(ctx context.Context, script []command, stdout io.Writer, past time.Duration, stop <-chan struct{}) Exit {
	code := int32(0)
	for _, c := range script {
		if c.onlyAfterSuccess && code != 0 {
			continue
		}
		switch c.name {
		case "true":
			code = 0
		case "false":
			code = 1
		case "exit":
			if c.number >= 0 {
				code = int32(c.number)
			}
			return Exit{Code: code}
		case "echo":
			code = 0
			if past <= 0 {
				// Output that nobody keeps is no reason to fail.
				_, _ = fmt.Fprint(stdout, c.text)
			}
		case "sleep":
			code = 0
			timer := time.NewTimer(max(c.duration-past, 0))
			past -= c.duration
			select {
			case <-timer.C:
			case <-stop:
				timer.Stop()
				return terminated
			case <-ctx.Done():
				timer.Stop()
				return killed
			}
		}
	}
	return Exit{Code: code}
}
