package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kith-project/kith/bench/meter"
)

// ErrAnswer means that a server did not do the work: another status than 200, or an answer of another length.
var ErrAnswer = errors.New("compare: not the answer that was wanted")

// Sample is what was done in one turn.
type Sample struct {
	Contacts int
	Time     time.Duration
	Server   time.Duration // processor time of the server's process
	Store    time.Duration // processor time of its Redis
}

// perContact returns a time for each contact in µs.
func (s Sample) perContact(d time.Duration) float64 {
	return float64(d) / float64(time.Microsecond) / float64(s.Contacts)
}

// Work is what takes turns.
type Work struct {
	Name     string // of who does it
	Contacts int    // in each request
	// Turn does it for about as long as given.
	Turn func(ctx context.Context, length time.Duration) (Sample, error)
}

// Target is a server to be sent requests.
type Target struct {
	Client *http.Client
	URL    string
	Header http.Header
	// Server and Store say what the processes have used so far. Store may be nil.
	Server, Store func(ctx context.Context) (time.Duration, error)
}

// connections is how many requests are sent at a time: enough that the server is never without one.
const connections = 4

// Requests is the work to answer requests with this body, whose answers have so many bytes, or any number if that is 0.
func Requests(name string, contacts int, t Target, body []byte, answer int) Work {
	return Work{Name: name, Contacts: contacts, Turn: func(ctx context.Context, length time.Duration) (Sample, error) {
		before, err := t.read(ctx)
		if err != nil {
			return Sample{}, err
		}
		started := time.Now()
		requests, err := t.send(ctx, started.Add(length), body, answer)
		if err != nil {
			return Sample{}, fmt.Errorf("%s: %w", name, err)
		}
		s := Sample{Contacts: requests * contacts, Time: time.Since(started)}
		after, err := t.read(ctx)
		if err != nil {
			return Sample{}, err
		}
		s.Server, s.Store = after[0]-before[0], after[1]-before[1]
		return s, nil
	}}
}

// read returns what server and store have used.
func (t Target) read(ctx context.Context) (used [2]time.Duration, err error) {
	for i, read := range []func(context.Context) (time.Duration, error){t.Server, t.Store} {
		if read == nil {
			continue
		}
		if used[i], err = read(ctx); err != nil {
			return used, err
		}
	}
	return used, nil
}

// send sends requests on all connections until the end, and returns how many were answered.
func (t Target) send(ctx context.Context, end time.Time, body []byte, answer int) (requests int, err error) {
	var done atomic.Int64
	var failed sync.Once
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range connections {
		wait.Go(func() {
			for time.Now().Before(end) {
				if e := t.post(ctx, body, answer); e != nil {
					failed.Do(func() { err = e })
					cancel()
					return
				}
				done.Add(1)
			}
		})
	}
	wait.Wait()
	return int(done.Load()), err
}

func (t Target) post(ctx context.Context, body []byte, answer int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = t.Header
	response, err := t.Client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || answer != 0 && int(n) != answer {
		return fmt.Errorf("%w: status %d with %d bytes", ErrAnswer, response.StatusCode, n)
	}
	return nil
}

// Alone is the work to call f, which is for so many contacts, in this process, on one core: what a server would do at most. Where the
// system does not say what a process has used, its time is that of the clock.
func Alone(name string, contacts int, f func() error) Work {
	return Work{Name: name, Contacts: contacts, Turn: func(ctx context.Context, length time.Duration) (Sample, error) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		var s Sample
		used := meter.Own()
		for started := time.Now(); s.Time < length; s.Time = time.Since(started) {
			if err := errors.Join(ctx.Err(), f()); err != nil {
				return Sample{}, err
			}
			s.Contacts += contacts
		}
		if s.Server = meter.Own() - used; s.Server <= 0 {
			s.Server = s.Time
		}
		return s, nil
	}}
}

// ReadCPU asks an opponent, at the URL of its PathCPU, what its process has used.
func ReadCPU(ctx context.Context, client *http.Client, url string) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64))
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", ErrAnswer, PathCPU)
	}
	return time.Duration(ns), nil
}
