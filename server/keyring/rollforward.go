package keyring

import "context"

// rollForward writes the keyring that this server has to a store that holds an older state of it: a failover to a
// replica has lost the last changes. They were acknowledged, the fences of partitions may be as high, and an epoch that
// devices use must not be staged again. Of several servers that do it, one succeeds; if what it writes is not the newest
// that any of them has, another writes that next. What a server that had not heard of the lost changes has made of the
// older state is replaced as a whole: an epoch or an entry of the log that were left of it would fit nothing.
func (k *Keyring) rollForward(ctx context.Context) {
	k.mu.Lock()
	current, stored := k.current, k.ahead
	k.mu.Unlock()
	if stored == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	fields := make([]any, 0, 2*len(current.fields))
	for field, value := range current.fields {
		if field != fieldGeneration {
			fields = append(fields, field, value)
		}
	}
	if err := replace(ctx, k.rdb, stored, current.Generation, fields...); err == nil {
		_ = k.Reload(ctx) // the outcome is in the keyring
	}
}
