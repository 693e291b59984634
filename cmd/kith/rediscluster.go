package main

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// clusterReload is how often the client asks by itself who serves which slot.
	clusterReload = 10 * time.Second
	// tryAgainFor bounds how long a command waits for the end of the move of its slot.
	tryAgainFor = 3 * time.Second
	// Pauses between two tries in that time.
	firstTry = 5 * time.Millisecond
	lastTry  = 50 * time.Millisecond
)

// clusterHook does for a client of a cluster what go-redis leaves out.
//
// While a slot moves, a script is answered with TRYAGAIN if some of its keys are not there: those that have moved, but also
// those that do not exist yet, as the bucket of its first user and the record of a request do not. No retry ends that but the end
// of the move, some ms later. go-redis gives up before, after its third try, which may also be the one that was told where
// the slot has gone.
//
// A master that does not answer is asked again and again: who has taken its place is looked up after a minute by default, and
// not before. So each lost connection has it looked up.
type clusterHook struct{ client *redis.ClusterClient }

// DialHook adds nothing.
func (clusterHook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook wraps one command.
func (h clusterHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		for wait := newTryAgain(ctx); moving(err) && wait.pause(); {
			err = next(ctx, cmd)
		}
		if outdated(err) {
			h.client.ReloadState(ctx) // which does not wait
		}
		return err
	}
}

// ProcessPipelineHook wraps a pipeline. Its commands are tried again one by one, those of a transaction together.
func (h clusterHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		for wait := newTryAgain(ctx); ; {
			again := refusedForNow(cmds)
			if len(again) == 0 || !wait.pause() {
				break
			}
			if cmds[0].Name() == "multi" {
				again = cmds
			}
			_ = next(ctx, again) // each command has its own error
			err = firstError(cmds)
		}
		if slices.ContainsFunc(cmds, func(cmd redis.Cmder) bool { return outdated(cmd.Err()) }) {
			h.client.ReloadState(ctx)
		}
		return err
	}
}

// outdated reports whether an error may come from a client's not knowing who serves what.
func outdated(err error) bool {
	var lost net.Error
	return err != nil && (errors.As(err, &lost) || errors.Is(err, io.EOF) || redis.IsClusterDownError(err) || redis.IsReadOnlyError(err))
}

// moving reports whether an error says that a slot moves, or has moved.
func moving(err error) bool {
	_, moved := redis.IsMovedError(err)
	_, ask := redis.IsAskError(err)
	return moved || ask || redis.IsTryAgainError(err)
}

// refusedForNow returns the commands whose slot moves.
func refusedForNow(cmds []redis.Cmder) []redis.Cmder {
	var again []redis.Cmder
	for _, cmd := range cmds {
		if moving(cmd.Err()) {
			again = append(again, cmd)
		}
	}
	return again
}

// firstError returns the first error of some commands, as a pipeline does.
func firstError(cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return err
		}
	}
	return nil
}

// tryAgain is the waiting of one command or pipeline.
type tryAgain struct {
	ctx  context.Context
	end  time.Time
	next time.Duration
}

func newTryAgain(ctx context.Context) *tryAgain {
	return &tryAgain{ctx: ctx, next: firstTry}
}

// pause waits a little, longer each time. It reports false when it is not to be waited any longer.
func (w *tryAgain) pause() bool {
	if w.end.IsZero() {
		w.end = time.Now().Add(tryAgainFor)
	}
	if time.Now().Add(w.next).After(w.end) || pause(w.ctx, w.next) != nil {
		return false
	}
	w.next = min(2*w.next, lastTry)
	return true
}
