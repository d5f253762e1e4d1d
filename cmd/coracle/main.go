package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
)

// version is Coracle's own, set by the build.
var version = "0.1.0-dev"

// maxPatchCopies bounds what a JSON patch may copy, in bytes, as kube-apiserver does: operations that copy what others have
// copied double an object each time.
const maxPatchCopies = 3 << 20

func main() {
	jsonpatch.AccumulatedCopySizeLimit = maxPatchCopies // which can be said nowhere else
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process without further ado
	if err := root(version, os.Args[0]).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "coracle:", err)
		os.Exit(1)
	}
}
