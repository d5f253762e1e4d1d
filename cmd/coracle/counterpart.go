package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"coracle/cluster"
	"coracle/counterparts/endpoint"
	"coracle/counterparts/people"
)

// counterpart is what the commands have in common that stand in for services beside a cluster.
type counterpart struct {
	name                   string
	users, listen, dataDir string
	misbehave              []string
	faults                 []people.Fault
	out                    io.Writer
	log                    *slog.Logger
}

func (c *counterpart) addFlags(cmd *cobra.Command, listen string) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&c.users, "users", "", "YAML file of the people that are known; read again when it changes")
	f.StringVar(&c.listen, "listen", listen, "HOST:PORT to listen on")
	f.StringVar(&c.dataDir, "data-dir", "", "directory of the cluster beside which it stands (default ~/.coracle/default)")
	f.StringSliceVar(&c.misbehave, "misbehave", nil, fmt.Sprintf("how to misbehave, any of %s; the line `misbehave: [...]` of the file says the same while it runs", c.able()))
	cobra.CheckErr(cmd.MarkFlagRequired("users"))
}

func (c *counterpart) able() []people.Fault {
	return append([]people.Fault{people.Slow, people.Down}, c.faults...)
}

// run opens the endpoint, tells what the handler is made for, and answers until Ctrl-C.
func (c *counterpart) run(cmd *cobra.Command, handler func(context.Context, *endpoint.Endpoint, *people.File) (http.Handler, error)) error {
	ctx := cmd.Context()
	c.out, c.log = cmd.OutOrStdout(), slog.New(newTerminal(cmd.ErrOrStderr(), slog.LevelInfo))
	if c.dataDir == "" {
		dir, err := cluster.DefaultDataDir()
		if err != nil {
			return err
		}
		c.dataDir = dir
	}
	known, err := people.Open(c.users, c.faults, c.misbehave, c.log)
	if err != nil {
		return err
	}
	e, err := endpoint.Open(c.dir(), c.listen, time.Now())
	if err != nil {
		return err
	}
	h, err := handler(ctx, e, known)
	if err != nil {
		return err
	}
	return e.Serve(ctx, known.Faulty(h), slog.NewLogLogger(c.log.Handler(), slog.LevelDebug))
}

// dir is where the counterpart keeps what is its own.
func (c *counterpart) dir() string { return filepath.Join(c.dataDir, "counterparts", c.name) }
