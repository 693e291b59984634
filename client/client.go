package client

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// Client syncs address books with one server. It may be used concurrently: Syncs wait for each other.
type Client struct {
	options Options
	keyLog  *keyLogCheck // nil if there is none
	metered *http.Client // directory, key log and evaluations
	lookups *http.Client // lookups, which must not be linked to the former
	// closeIdle ends the idle connections of transports that this client has made for itself, so that the lookups of
	// two Syncs do not share one.
	closeIdle func()
	retry     retryPolicy
	now       func() time.Time
	refresh   atomic.Bool   // RefreshLabels was called since the last Sync
	busy      chan struct{} // holds one element while a Sync runs; a mutex that can be waited for with a context
}

// New returns a client, or ErrOptions, ErrInsecure or ErrMode with a text that names the option. It sends nothing.
func New(o Options) (*Client, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	keyLog, err := o.KeyLog.parse()
	if err != nil {
		return nil, err
	}
	c := &Client{options: o, keyLog: keyLog, retry: defaultRetryPolicy(o.MaxWait), now: time.Now, busy: make(chan struct{}, 1)}
	c.metered, c.lookups, c.closeIdle = newHTTPClients(o)
	return c, nil
}

// Sync looks up the numbers of an address book. It pays for those that no earlier Sync with the same state paid for,
// after completing what an interrupted one left. An empty book asks for the directory alone.
//
// Contacts that can not be looked up are in the Result, not in the error, and so are numbers whose evaluation has to wait, for
// quota most often, as long as anything is known of the others, and a move to a new epoch that has to. Errors to expect:
//
//   - that of ctx, and network errors, after all tries: call Sync again;
//   - *ProblemError, an answer that was an error. With a RetryAfter above Options.MaxWait: call Sync again then;
//   - ErrKeyChanged, ErrKeyLog, ErrProof: the server can not be trusted as it is, and learned nothing that it could use;
//   - ErrAnswer, ErrNoEpoch, ErrMode, *IncompatibleError: this is not a server for this client;
//   - ErrBudget: no mode that Options.MinPrivacy allows can work with so small an Options.Budget;
//   - ErrState, ErrStateInUse, and the errors of the state store, the cache, the token source and the address book.
//
// What was paid for before an error is kept, and the next Sync goes on from there. Syncs of one Client run one after
// the other; of other Clients on the same store, FileState lets only one run and the others return ErrStateInUse.
func (c *Client) Sync(ctx context.Context, addressBook AddressBook) (*Result, error) {
	unlock, err := c.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	defer c.closeIdle()
	r := &run{Client: c, over: make(map[uint32]string)}
	if r.state, err = loadState(ctx, c.options.State, c.options.Server); err != nil {
		return nil, err
	}
	if c.refresh.Swap(false) {
		r.state.expireLabels()
	}
	if r.whole, err = readBook(ctx, addressBook, c.options.Region, c.options.Progress); err != nil {
		return nil, err
	}
	result, err := r.discover(ctx)
	if _, over := epochOver(err); over {
		// It ended between the directory and the request; what the server says now is worth one more try. Over a connection
		// of its own: on one, the lookups of two epochs would be known to be of one device.
		c.closeIdle()
		result, err = r.discover(ctx)
	}
	return result, err
}

// RefreshLabels makes the next Sync fetch the labels of all matches anew, by the requests that fetched them before, decoys
// included. Without it that happens when they are 30 days old: the server does not announce changed labels. In mode exact
// every Sync fetches them.
func (c *Client) RefreshLabels() { c.refresh.Store(true) }

// lock keeps out other Syncs of c, for which it waits, and other users of the store, for which it does not.
func (c *Client) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case c.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	locker, ok := c.options.State.(StateLocker)
	if !ok {
		return func() { <-c.busy }, nil
	}
	release, err := locker.Lock(ctx)
	if err != nil {
		<-c.busy
		return nil, err
	}
	return func() {
		_ = release() // everything is saved by now; what fails to unlock shows as ErrStateInUse
		<-c.busy
	}, nil
}
