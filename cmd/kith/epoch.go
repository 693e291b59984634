package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// epochCommand rotates keys.
type epochCommand struct {
	Rotate   epochRotateCommand   `cmd:"" help:"Begin a rotation to a new key, or join the one under way."`
	Status   epochStatusCommand   `cmd:"" help:"Show the epochs, and how far a rotation is."`
	List     epochListCommand     `cmd:"" help:"List the epochs."`
	Activate epochActivateCommand `cmd:"" help:"Make a verified epoch the one that devices use."`
	Abort    epochAbortCommand    `cmd:"" help:"End a rotation before its epoch is active; the old one stays."`
	Retire   epochRetireCommand   `cmd:"" help:"Destroy the key of an epoch that drains."`
	Audit    epochAuditCommand    `cmd:"" help:"Check the proofs that an epoch's registrations were moved under the logged keys."`
}

// epochRotateCommand is kith epoch rotate.
type epochRotateCommand struct {
	adminFlags
	Wait          bool          `help:"Show progress, and end when the new epoch is active. Ctrl-C ends the command and not the rotation."`
	Manual        bool          `help:"Copy and verify only: kith epoch activate and kith epoch retire are left to be given by hand. With --wait the command ends when the epoch is verified."`
	Window        time.Duration `default:"24h" help:"How long devices have to move to the new epoch, each at a moment of its own (default ${default})."`
	Drain         time.Duration `default:"72h" help:"How long the old epoch still answers devices that have not moved (default ${default}); then its key is destroyed."`
	ExpectedUsers int64         `placeholder:"N" help:"How many users the new epoch is laid out for. The default is those that there are, and at least 10,000."`
}

// Run begins the rotation.
func (cmd *epochRotateCommand) Run(ctx context.Context, t *terminal) error {
	switch {
	case cmd.Window < 0 || cmd.Window%time.Second != 0 || cmd.Drain%time.Second != 0:
		return errors.New("--window and --drain: whole seconds, from 0s on")
	case cmd.Window > cmd.Drain:
		return withHint(errors.New("--window is longer than --drain"), "the old epoch has to answer until all devices have moved")
	case cmd.ExpectedUsers < 0:
		return errors.New("--expected-users: a number of users")
	}
	data, err := cmd.call(ctx, http.MethodPost, "/v1/epochs", map[string]any{
		"auto": !cmd.Manual, "window_seconds": int64(cmd.Window / time.Second), "drain_seconds": int64(cmd.Drain / time.Second),
		"expected_users": cmd.ExpectedUsers,
	})
	if err != nil {
		return err
	}
	var begun struct {
		ID     uint32 `json:"id"`
		Joined bool   `json:"joined"`
	}
	if err := decodeAnswer(data, &begun); err != nil {
		return err
	}
	what := "epoch %d is staged"
	if begun.Joined {
		what = "joined the rotation to epoch %d, which goes on as it was begun"
	}
	if !cmd.Wait {
		_, err = fmt.Fprintf(t.stdout, what+"\n", begun.ID)
		return err
	}
	t.say(what, begun.ID)
	return newWait(&cmd.adminFlags, t, begun.ID).run(ctx)
}

// epochActivateCommand is kith epoch activate.
type epochActivateCommand struct {
	adminFlags
	ID         uint32 `arg:"" help:"The staged epoch."`
	AcceptLoss *int64 `placeholder:"N" help:"Go on although up to N records can not be read: these registrations are given up, and have to be made again. Also for an epoch that is active, and whose old epoch is kept because of them."`
}

// Run activates the epoch.
func (cmd *epochActivateCommand) Run(ctx context.Context, t *terminal) error {
	var body any
	if cmd.AcceptLoss != nil {
		if *cmd.AcceptLoss < 0 {
			return errors.New("--accept-loss: a number of records")
		}
		body = map[string]any{"accept_loss": *cmd.AcceptLoss}
	}
	if _, err := cmd.call(ctx, http.MethodPost, epochPath(cmd.ID, "activate"), body); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.stdout, "epoch %d is active\n", cmd.ID)
	return err
}

// epochAbortCommand is kith epoch abort.
type epochAbortCommand struct {
	adminFlags
	ID uint32 `arg:"" help:"The staged epoch."`
}

// Run aborts the rotation.
func (cmd *epochAbortCommand) Run(ctx context.Context, t *terminal) error {
	if _, err := cmd.call(ctx, http.MethodPost, epochPath(cmd.ID, "abort"), nil); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.stdout, "epoch %d is aborted, its key destroyed\n", cmd.ID)
	return err
}

// epochRetireCommand is kith epoch retire.
type epochRetireCommand struct {
	adminFlags
	ID uint32 `arg:"" help:"The draining epoch. Devices that still use it move on at once, all of them."`
}

// Run retires the epoch.
func (cmd *epochRetireCommand) Run(ctx context.Context, t *terminal) error {
	if _, err := cmd.call(ctx, http.MethodPost, epochPath(cmd.ID, "retire"), nil); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.stdout, "epoch %d is retired, its key destroyed\n", cmd.ID)
	return err
}

// pause waits, or returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
