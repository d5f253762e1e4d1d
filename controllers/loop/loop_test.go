package loop_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"coracle/controllers/loop"
)

func TestLoop(t *testing.T) {
	t.Run("a key that fails is tried again, later each time, and forgotten when it succeeds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var tries []time.Duration
			begin, failures := time.Now(), 3
			l := loop.New("test", slog.New(slog.DiscardHandler), func(context.Context, string) error {
				tries = append(tries, time.Since(begin))
				if failures--; failures >= 0 {
					return errors.New("not yet")
				}
				return nil
			})
			done := make(chan error)
			go func() { done <- l.Run(ctx, 1) }()
			l.Add("key")
			time.Sleep(time.Second)
			synctest.Wait()
			l.Add("key")
			synctest.Wait()
			want := []time.Duration{0, 5e6, 15e6, 35e6, 1e9}
			if diff := cmp.Diff(want, tries); diff != "" {
				t.Errorf("tried at (-want +got):\n%s", diff)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("it waits for the reconcile that is under way, and starts no other", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			begun, finished := 0, 0
			l := loop.New("test", slog.New(slog.DiscardHandler), func(context.Context, int) error {
				begun++
				time.Sleep(time.Second)
				finished++
				return nil
			})
			done := make(chan error)
			go func() { done <- l.Run(ctx, 1) }()
			l.Add(1)
			l.Add(2)
			synctest.Wait()
			cancel()
			<-done
			if begun != 1 || finished != 1 {
				t.Errorf("begun %d, finished %d, want 1 and 1", begun, finished)
			}
		})
	})
}
