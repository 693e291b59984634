package load

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// writeRegistration registers somebody who was not, or removes somebody who registered in the run.
func (v *visit) writeRegistration(ctx context.Context) error {
	if v.dice.Float64() < v.g.Mix.Leaves {
		if i, r, ok := v.g.leaver(v.dice); ok {
			return v.leave(ctx, v.g.Users+i, r)
		}
	}
	i := v.g.joined.Add(1) - 1
	if i >= int64(len(v.g.joiners)) {
		return nil // hardly ever: more registrations were drawn than there are numbers kept
	}
	return v.join(ctx, v.g.Users+int(i), v.g.joiners[i])
}

// leaver returns somebody who registered in the run and is still there, and marks them as leaving.
func (g *generator) leaver(dice *rand.Rand) (int, *registration, bool) {
	begun := min(g.joined.Load(), int64(len(g.joiners)))
	for range 8 {
		if begun == 0 {
			break
		}
		i := dice.Int64N(begun)
		if r := g.joiners[i]; r.joinAcknowledged.Load() != 0 && r.leaveSent.CompareAndSwap(0, time.Now().UnixNano()) {
			return int(i), r, true
		}
	}
	return 0, nil, false
}

// join registers the number of an index, and tells the model.
func (v *visit) join(ctx context.Context, index int, r *registration) error {
	r.joinSent.Store(time.Now().UnixNano())
	if err := v.write(ctx, KindRegister, http.MethodPut, index, r.label); err != nil {
		return err
	}
	r.joinAcknowledged.Store(time.Now().UnixNano())
	return nil
}

// leave removes the number of an index, on condition that it is registered as the model says, and tells the model.
func (v *visit) leave(ctx context.Context, index int, r *registration) error {
	if err := v.write(ctx, KindUnregister, http.MethodDelete, index, r.label); err != nil {
		return err
	}
	r.leaveAcknowledged.Store(time.Now().UnixNano())
	return nil
}

// write sends one write of the account service.
func (v *visit) write(ctx context.Context, kind Kind, method string, index int, label string) error {
	body, err := json.Marshal(map[string]string{"number": number(index), "label": label})
	if err != nil {
		return err
	}
	a, err := v.call(ctx, request{
		kind: kind, method: method, url: v.g.Accounts + "/v1/registrations", body: body, bodyType: typeJSON, token: v.g.RegisterToken,
	})
	if err != nil {
		return err
	}
	if a.header.Get("Kith-Applied") != "true" {
		return &failure{kind, reasonLost}
	}
	return nil
}

// writers is how many users are registered at a time, and evaluators how many pages of contacts evaluated.
const (
	writers    = 16
	evaluators = 4
)

// registerUsers registers the users that are there before the run.
func (g *generator) registerUsers(ctx context.Context) error {
	return g.inParallel(ctx, StageRegister, writers, g.Users, func(ctx context.Context, i int) error {
		v := g.newVisit(i, time.Now())
		return v.join(ctx, i, g.users[i])
	})
}

// removeUsers removes all who are registered.
func (g *generator) removeUsers(ctx context.Context) error {
	all := append(append([]*registration{}, g.users...), g.joiners...)
	return g.inParallel(ctx, StageRemove, writers, len(all), func(ctx context.Context, i int) error {
		if all[i].joinSent.Load() == 0 || all[i].leaveAcknowledged.Load() != 0 {
			return nil
		}
		v := g.newVisit(i, time.Now())
		err := v.leave(ctx, i, all[i])
		if failed, ok := err.(*failure); ok && (failed.reason == reasonLost || failed.reason == "412 label-mismatch") {
			return nil // its registration failed, or its removal was not acknowledged
		}
		return err
	})
}

// inParallel calls do for 0 to n-1, several at a time, until one fails, and returns its error. Progress is told.
func (g *generator) inParallel(ctx context.Context, stage Stage, workers, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	next, done := 0, 0
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= n && ctx.Err() == nil
	}
	g.Progress(stage, 0, n)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i, more := take(); more; i, more = take() {
				if err := do(ctx, i); err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				done++
				g.Progress(stage, done, n)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
