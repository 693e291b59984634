package client

import (
	"errors"
	"runtime"
	"sync"
)

// spread calls f for parts of the range 0 to n, one on each processor that the program may use, and waits for all. It
// returns their errors joined. A multiplication takes some 75 µs, so a thousand are worth the goroutines.
func spread(n int, f func(from, to int) error) error {
	workers := min(runtime.GOMAXPROCS(0), n)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { errs[i] = f(n*i/workers, n*(i+1)/workers) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
