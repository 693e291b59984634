package rotation

import (
	"context"
	"fmt"
	"time"

	"github.com/kith-project/kith/server/keyring"
)

const (
	// behindFor is for how long a server sees the keyring behind the partitions before it raises it. Whoever still knows the
	// lost changes is to write them back first: servers look for that every second, and a read may take two.
	behindFor = 10 * time.Second
	// looks is how often in that time a server looks.
	looks = 5
)

// watch heals a keyring whose last changes the store has lost, until ctx ends.
func (r *Rotator) watch(ctx context.Context) {
	ticker := time.NewTicker(r.behind / looks)
	defer ticker.Stop()
	var since time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			since = r.look(ctx, since)
		}
	}
}

// look heals the keyring if it was seen behind at each look since the time given, and that is long enough. It returns since
// when that is so, or the zero time.
func (r *Rotator) look(ctx context.Context, since time.Time) time.Time {
	behind, err := r.config.Keyring.Behind(ctx, r.config.Directory)
	switch {
	case err != nil, !behind: // with the store away, others who know the changes could not write them back either
		return time.Time{}
	case since.IsZero():
		return time.Now()
	case time.Since(since) < r.behind:
		return since
	}
	healed, err := r.config.Keyring.Heal(ctx, r.config.Directory)
	if err == nil && healed.To != 0 {
		err = lost(healed)
	}
	if err != nil && ctx.Err() == nil {
		r.config.OnError(err)
	}
	return time.Time{}
}

// lost tells an operator what a keyring has lost.
func lost(h keyring.Healed) error {
	err := fmt.Errorf("%w: raised from generation %d to %d", ErrLostChanges, h.From, h.To)
	for _, id := range h.Orphans {
		err = fmt.Errorf("%w; epoch %d is among them", err, id)
	}
	return err
}
