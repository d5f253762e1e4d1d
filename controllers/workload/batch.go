package workload

import "sync"

// InBatches calls do n times, at first once, then twice as many at the same time, and so on, as long as all succeed:
// what fails for one reason, a quota for instance, then fails a few times, not hundreds of times. It returns the first
// error, and waits for all calls.
func InBatches(n int, do func(i int) error) error {
	for begun, size := 0, 1; begun < n; size *= 2 {
		size = min(size, n-begun)
		if err := AtOnce(size, func(i int) error { return do(begun + i) }); err != nil {
			return err
		}
		begun += size
	}
	return nil
}

// AtOnce calls do n times at the same time, waits for all, and returns an error if there was any.
func AtOnce(n int, do func(i int) error) error {
	errs := make(chan error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := do(i); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}
