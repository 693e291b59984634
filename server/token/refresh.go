package token

import (
	"context"
	"time"
)

// Run reads the keys again, each time that Refresh has passed and when a token names a key that is not known, until ctx ends. A read
// that fails is tried again after 30 s, 60 s and so on, and until one succeeds the last good keys stay, however old: an issuer
// that is away must not lock everybody out. So a key that the issuer has withdrawn is good until it can be read that it was.
func (k *Keys) Run(ctx context.Context) {
	if k.read == nil {
		return
	}
	k.setRunning(true)
	defer k.setRunning(false)
	for {
		timer := time.NewTimer(k.next())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-k.asked:
			timer.Stop()
			if k.justTried() { // for another that asked at the same time
				continue
			}
		}
		err := k.reread(ctx)
		if ctx.Err() != nil {
			return
		}
		k.report(err)
	}
}

func (k *Keys) setRunning(running bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running = running
}

// next returns how long to wait for the next planned read.
func (k *Keys) next() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	wait := k.refresh
	if k.failures > 0 {
		wait = min(wait, minReread<<min(k.failures-1, 16))
	}
	return time.Until(k.tried.Add(wait))
}

func (k *Keys) justTried() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.tried) < minReread
}

// reread reads the keys, and keeps those from before when it can not.
func (k *Keys) reread(ctx context.Context) error {
	k.mu.Lock()
	began := time.Now()
	k.tried, k.reading = began, true
	k.mu.Unlock()

	set, err := k.load(ctx)
	if err == nil {
		k.current.Store(set)
	}

	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failures++; err == nil {
		k.good, k.failures = began, 0
	}
	k.reading = false
	close(k.round)
	k.round = make(chan struct{})
	return err
}

func (k *Keys) load(ctx context.Context) (*keySet, error) {
	text, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	return parseKeySet(text)
}

// await has the keys read by Run and waits for the end of that, for a second at most. It tells whether they may have changed. Reads
// that are caused in this way are 30 s apart: a token that names an unknown key before is refused at once.
func (k *Keys) await() bool {
	k.mu.Lock()
	if !k.running || !k.reading && time.Since(k.tried) < minReread {
		k.mu.Unlock()
		return false
	}
	round := k.round
	if !k.reading {
		select {
		case k.asked <- struct{}{}:
		default:
		}
	}
	k.mu.Unlock()
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case <-round:
		return true
	case <-timer.C:
		return false
	}
}
