package quota

import (
	"context"
	"time"

	"github.com/kith-project/kith/crypto/secret"
)

// Status is what the store has of an account.
type Status struct {
	State
	Level     int       // units of the bucket in use, rounded up
	Charged   int64     // elements charged in the epoch that was asked about
	FirstSeen time.Time // when it first asked for an evaluation; zero if it never did
	Young     bool      // the budget of young accounts pays for it as well
	Blocked   time.Time // since when it is blocked; zero if it is not
}

// Status returns how an account stands, and changes nothing. The credit is that for an epoch, which followed predecessor;
// 0 for none. An account that was never seen has a full bucket. It returns ErrUnavailable and ErrRecord.
func (l *Ledger) Status(ctx context.Context, accountKey secret.Value, account string, epoch, predecessor uint32) (Status, error) {
	if predecessor >= epoch {
		predecessor = 0
	}
	_, n, err := runNumbers(ctx, l.rdb, l.scripts.status, 10, []string{accountName(accountKey, account)},
		epochText(epoch), epochText(predecessor), l.limits.Burst, l.limits.RefillPerDay)
	if err != nil {
		return Status{}, err
	}
	s := Status{State: stateOf(n), Level: int(n[5]), Charged: n[6]}
	s.FirstSeen, s.Blocked = moment(n[7]), moment(n[9])
	s.Young = l.limits.YoungPerDay > 0 && milliseconds(n[8]) < l.limits.YoungAge
	return s, nil
}

// moment reads ms since 1970, or -1 for never.
func moment(ms int64) time.Time {
	if ms < 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Charged returns how many elements the account was charged in an epoch, refunds left out; of epochs before the last two
// in which it was charged that is forgotten, and 0. It returns ErrUnavailable and ErrRecord.
func (l *Ledger) Charged(ctx context.Context, accountKey secret.Value, account string, epoch uint32) (int64, error) {
	status, err := l.Status(ctx, accountKey, account, epoch, 0)
	return status.Charged, err
}
