// Command coracle is a miniature Kubernetes control plane.
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
	defer stop()
	if err := root(version).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "coracle:", err)
		os.Exit(1)
	}
}
