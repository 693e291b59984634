package snapshot

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kith-project/kith/server/directory"
)

// tailMemory is how long a server answers with the same tail.
const tailMemory = 100 * time.Millisecond

// tail reads what has changed since the last segment, so that a device which has read the whole feed also learns of the
// last seconds. It changes nothing in Redis: what it tells, the next segment tells again.
type tail struct {
	dir    Directory
	layout directory.Layout
	writes atomic.Uint64 // counts Wrote

	mu      sync.Mutex // held while it is read, so that a crowd causes one read; guards what follows
	behind  Position   // the last segment then
	read    time.Time  // when the last read began
	written uint64     // how many writes there had been then
	entries []byte
}

// ReadTail makes Changes answer at the end of the feed with what has changed since, read from the directory. It is to be
// called before the store is used.
func (s *Store) ReadTail(dir Directory, layout directory.Layout) {
	s.tail = &tail{dir: dir, layout: layout}
}

// Wrote tells that this server has written to the directory: the next answer at the end of the feed is read anew, so that
// whoever writes and then asks this server finds what was written.
func (s *Store) Wrote() {
	if s.tail != nil {
		s.tail.writes.Add(1)
	}
}

// after returns the entries of the changes since the segment at head, up to which the partitions' positions are given in
// their stored form. After a gap there are none: the builder is about to begin a new feed. It returns ErrUnavailable, or
// an error of package directory.
func (t *tail) after(ctx context.Context, head Position, stored string, now time.Time) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	written := t.writes.Load()
	if t.behind == head && t.written == written && !t.read.IsZero() && now.Sub(t.read) < tailMemory {
		return t.entries, nil
	}
	positions, ok := parsePositions(stored, t.layout.Partitions())
	if !ok {
		return nil, ErrUnavailable
	}
	// Others wait for this read, so that it does not end with the request that caused it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	results, err := t.dir.Changes(ctx, t.layout, positions)
	if err != nil {
		return nil, fmt.Errorf("snapshot: changes: %w", err)
	}
	g := fold(positions, results)
	if g.err != nil {
		return nil, fmt.Errorf("snapshot: changes: %w", g.err)
	}
	t.behind, t.read, t.written, t.entries = head, now, written, g.entries
	return t.entries, nil
}
