package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAuthorityWatch_TellsOfEachChangeUntilItIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bundle atomic.Value
		var told atomic.Int32
		var heard atomic.Bool
		bundle.Store("one")
		w := authorityWatch{
			bundle: func() []byte { return []byte(bundle.Load().(string)) },
			changed: func(context.Context) error {
				told.Add(1)
				if !heard.Load() {
					return errors.New("not now")
				}
				return nil
			},
		}
		ctx, stop := context.WithCancel(t.Context())
		go w.Run(ctx)
		look := func() {
			time.Sleep(lookEvery)
			synctest.Wait()
		}
		look()
		if n := told.Load(); n != 0 {
			t.Errorf("told %d times of no change", n)
		}
		bundle.Store("two")
		look()
		look()
		if n := told.Load(); n != 2 {
			t.Errorf("told %d times while nobody heard, want 2", n)
		}
		heard.Store(true)
		look()
		look()
		if n := told.Load(); n != 3 {
			t.Errorf("told %d times, want 3: once heard is enough", n)
		}
		stop()
		synctest.Wait()
	})
}
