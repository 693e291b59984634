package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// journal is what happened to a deployment.
type journal struct {
	start time.Time

	mu      sync.Mutex // guards what follows
	entries []*entry
	wrong   []string // what no history may lead to, such as an answer that is not expected
}

func newJournal() *journal { return &journal{start: time.Now()} }

// entry is one thing that happened.
type entry struct {
	began, ended time.Duration // on the journal's clock; the same for what has no duration
	who, what    string
	answer       string
	call         *done // if it is a call of a client
}

// now returns the time since the start.
func (j *journal) now() time.Duration { return time.Since(j.start) }

func (j *journal) add(e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
}

// note adds what happened just now.
func (j *journal) note(who, what string) {
	now := j.now()
	j.add(&entry{began: now, ended: now, who: who, what: what})
}

// fault adds something that must not happen.
func (j *journal) fault(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

// calls returns the calls of clients, as they ended.
func (j *journal) calls() []*done {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []*done
	for _, e := range j.entries {
		if e.call != nil {
			all = append(all, e.call)
		}
	}
	return all
}

// String returns a line for each entry, by the time it began.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	entries := slices.Clone(j.entries)
	slices.SortStableFunc(entries, func(a, b *entry) int { return cmp.Compare(a.began, b.began) })
	var b strings.Builder
	for _, e := range entries {
		took := ""
		if e.ended > e.began {
			took = fmt.Sprintf("+%.3fs", (e.ended - e.began).Seconds())
		}
		line := fmt.Sprintf("%8.3fs %-8s %-10s %-44s %s", e.began.Seconds(), took, e.who, e.what, e.answer)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
