package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"
)

// quotaCommand reads and changes what accounts can have evaluated.
type quotaCommand struct {
	Show    quotaShowCommand    `cmd:"" help:"Show how an account stands."`
	Raise   quotaRaiseCommand   `cmd:"" help:"Give an account limits of its own, or those of all again."`
	Reset   quotaResetCommand   `cmd:"" help:"Fill the bucket of an account."`
	Block   quotaBlockCommand   `cmd:"" help:"Refuse the evaluations of an account."`
	Unblock quotaUnblockCommand `cmd:"" help:"End a block."`
	Forget  quotaForgetCommand  `cmd:"" help:"Remove all that is kept of an account, such as one that was deleted."`
}

// quotaFlags are what the commands about an account have in common.
type quotaFlags struct {
	adminFlags
	Account string `arg:"" help:"Account: the subject (sub) of its tokens."`
	JSON    bool   `name:"json" help:"Print one JSON object."`
}

// accountQuota is what a server says of an account.
type accountQuota struct {
	Epoch        uint32     `json:"epoch"`
	Limit        int        `json:"limit"`
	RefillPerDay int        `json:"refill_per_day"`
	Remaining    int        `json:"remaining"`
	Credit       int        `json:"credit"`
	ResetSeconds int64      `json:"reset_seconds"`
	Blocked      bool       `json:"blocked"`
	Used         int        `json:"used"`
	Charged      int64      `json:"charged"`
	Young        bool       `json:"young"`
	FirstSeen    *time.Time `json:"first_seen"`
	BlockedSince *time.Time `json:"blocked_since"`
}

// do takes a step with the account, and prints how it stands then.
func (f *quotaFlags) do(ctx context.Context, t *terminal, step string, body map[string]any) error {
	if f.Account == "" {
		return errors.New("ACCOUNT: the subject of a token, which is not empty")
	}
	body["account"] = f.Account
	data, err := f.call(ctx, http.MethodPost, "/v1/quotas/"+step, body)
	if err != nil {
		return err
	}
	if f.JSON {
		_, err := t.stdout.Write(data)
		return err
	}
	var q accountQuota
	if err := decodeAnswer(data, &q); err != nil {
		return err
	}
	return printQuota(t.stdout, q)
}

// printQuota writes how an account stands.
func printQuota(w io.Writer, q accountQuota) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "remaining\t%d of %d, %d of them credit for epoch %d\n", q.Remaining, q.Limit, q.Credit, q.Epoch)
	fmt.Fprintf(table, "refill\t%d a day, full in %v\n", q.RefillPerDay, time.Duration(q.ResetSeconds)*time.Second)
	fmt.Fprintf(table, "charged\t%d in epoch %d\n", q.Charged, q.Epoch)
	switch {
	case q.FirstSeen == nil:
		fmt.Fprintf(table, "first seen\tnever\n")
	case q.Young:
		fmt.Fprintf(table, "first seen\t%s, young\n", q.FirstSeen.Format(time.RFC3339))
	default:
		fmt.Fprintf(table, "first seen\t%s\n", q.FirstSeen.Format(time.RFC3339))
	}
	if q.BlockedSince != nil {
		fmt.Fprintf(table, "blocked\tsince %s\n", q.BlockedSince.Format(time.RFC3339))
	}
	return table.Flush()
}

// quotaShowCommand is kith quota show.
type quotaShowCommand struct{ quotaFlags }

// Run shows the account.
func (cmd *quotaShowCommand) Run(ctx context.Context, t *terminal) error {
	return cmd.do(ctx, t, "read", map[string]any{})
}

// quotaRaiseCommand is kith quota raise.
type quotaRaiseCommand struct {
	quotaFlags
	Burst        int `required:"" placeholder:"N" help:"How many numbers it can have evaluated at once; 0 for the limit of all."`
	RefillPerDay int `required:"" placeholder:"N" help:"How many flow back a day; 0 for the limit of all."`
}

// Run gives the account limits.
func (cmd *quotaRaiseCommand) Run(ctx context.Context, t *terminal) error {
	return cmd.do(ctx, t, "raise", map[string]any{"burst": cmd.Burst, "refill_per_day": cmd.RefillPerDay})
}

// quotaResetCommand is kith quota reset.
type quotaResetCommand struct{ quotaFlags }

// Run fills the bucket.
func (cmd *quotaResetCommand) Run(ctx context.Context, t *terminal) error {
	return cmd.do(ctx, t, "reset", map[string]any{})
}

// quotaBlockCommand is kith quota block.
type quotaBlockCommand struct{ quotaFlags }

// Run blocks the account.
func (cmd *quotaBlockCommand) Run(ctx context.Context, t *terminal) error {
	return cmd.do(ctx, t, "block", map[string]any{})
}

// quotaUnblockCommand is kith quota unblock.
type quotaUnblockCommand struct{ quotaFlags }

// Run unblocks the account.
func (cmd *quotaUnblockCommand) Run(ctx context.Context, t *terminal) error {
	return cmd.do(ctx, t, "unblock", map[string]any{})
}

// quotaForgetCommand is kith quota forget.
type quotaForgetCommand struct{ quotaFlags }

// Run forgets the account.
func (cmd *quotaForgetCommand) Run(ctx context.Context, t *terminal) error {
	return cmd.do(ctx, t, "forget", map[string]any{})
}

// limitsInForce are the limits of accounts as a server says.
type limitsInForce struct {
	Burst           int64 `json:"burst"`
	RefillPerDay    int64 `json:"refill_per_day"`
	YoungAgeSeconds int64 `json:"young_age_seconds"`
	YoungPerDay     int64 `json:"young_per_day"`
}

// limits asks a server for them.
func (f *adminFlags) limits(ctx context.Context) (limitsInForce, error) {
	var l limitsInForce
	data, err := f.call(ctx, http.MethodGet, "/v1/limits", nil)
	if err != nil {
		return l, err
	}
	return l, decodeAnswer(data, &l)
}
