package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is Coracle's own, set by the build.
var version = "0.1.0-dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process without further ado
	if err := root(version, os.Args[0]).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "coracle:", err)
		os.Exit(1)
	}
}
