package quota

import (
	"context"
	"fmt"

	"github.com/kith-project/kith/crypto/secret"
)

// Raise gives an account limits of its own, larger or smaller than those of all, from now on and until they are changed:
// such an account is never forgotten. 0 stands for the limit of all. What the account has used stays used. It returns an
// error that wraps ErrLimits if a limit is not from 0 to MaxBurst; ErrUnavailable and ErrRecord.
func (l *Ledger) Raise(ctx context.Context, accountKey secret.Value, account string, burst, refillPerDay int) error {
	if burst < 0 || burst > MaxBurst || refillPerDay < 0 || refillPerDay > MaxBurst {
		return fmt.Errorf("%w: those of an account are from 0 to %d", ErrLimits, MaxBurst)
	}
	return l.admin(ctx, accountKey, account, "raise", burst, refillPerDay)
}

// Reset fills the bucket of an account. Its counts, credit and limits stay. It returns ErrUnavailable and ErrRecord.
func (l *Ledger) Reset(ctx context.Context, accountKey secret.Value, account string) error {
	return l.admin(ctx, accountKey, account, "reset")
}

// Block refuses the account's requests, retries of charged ones included, until Unblock: such an account is never
// forgotten. One that was never seen can be blocked. It returns ErrUnavailable and ErrRecord.
func (l *Ledger) Block(ctx context.Context, accountKey secret.Value, account string) error {
	return l.admin(ctx, accountKey, account, "block")
}

// Unblock ends a Block. It returns ErrUnavailable and ErrRecord.
func (l *Ledger) Unblock(ctx context.Context, accountKey secret.Value, account string) error {
	return l.admin(ctx, accountKey, account, "unblock")
}

// Forget removes all that the store has of an account but the records of its requests, which expire by themselves: for
// one that was deleted, and for one whose record can not be read. Its next request is that of an account never seen, with
// a full bucket, no block and no limits of its own. It returns ErrUnavailable.
func (l *Ledger) Forget(ctx context.Context, accountKey secret.Value, account string) error {
	if err := l.rdb.Del(ctx, accountName(accountKey, account)).Err(); err != nil {
		return unavailable(err)
	}
	return nil
}

func (l *Ledger) admin(ctx context.Context, accountKey secret.Value, account, what string, args ...any) error {
	args = append([]any{what, l.limits.Burst, l.limits.RefillPerDay, accountMemory.Milliseconds()}, args...)
	outcome, err := l.scripts.admin.Run(ctx, l.rdb, []string{accountName(accountKey, account)}, args...).Int()
	switch {
	case err != nil:
		return unavailable(err)
	case outcome < 0:
		return ErrRecord
	default:
		return nil
	}
}
