package chaos

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// names are what the numbers of a history are called in one epoch.
type names struct {
	tags   []crypto.Tag
	labels []crypto.LabelKey
}

// namesIn derives the tags and label keys of the first n numbers by the key of an epoch.
func namesIn(e *keyring.Epoch, n int) (names, error) {
	var all names
	for i := range n {
		elements, err := e.Key.Evaluate([][]byte{normalize.Input(number(i))})
		if err != nil {
			return names{}, err
		}
		tag, label := crypto.Derive(elements[0])
		all.tags, all.labels = append(all.tags, tag), append(all.labels, label)
	}
	return all, nil
}

// devices know what the numbers are called in each epoch. Real ones have it evaluated; these have the master key, which
// does without an account, and keep what they have found.
type devices struct {
	watch   *watch
	numbers int

	mu    sync.Mutex
	names map[uint32]names
}

func newDevices(w *watch, numbers int) *devices {
	return &devices{watch: w, numbers: numbers, names: make(map[uint32]names)}
}

var errNoNames = errors.New("the epoch's key is not in the keyring")

// in returns what the numbers are called in an epoch. It returns errNoNames for one that is over, and the errors of
// keyring.Open.
func (v *devices) in(epoch uint32) (names, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known, ok := v.names[epoch]; ok {
		return known, nil
	}
	snapshot, err := v.watch.keyring()
	if err != nil {
		return names{}, err
	}
	e := snapshot.Epoch(epoch)
	if e == nil || e.Over() {
		return names{}, errNoNames
	}
	v.names[epoch], err = namesIn(e, v.numbers)
	return v.names[epoch], err
}

// look looks a number up in an epoch that the server says it has, and notes what was found.
func (c *client) look(d *done) {
	epoch, ok := c.epoch(d)
	if !ok {
		return
	}
	known, err := c.devices.in(epoch)
	if err != nil {
		d.outcome, d.detail = failed, err.Error()
		return
	}
	tag := known.tags[d.number]
	body := map[string]any{"tags": []string{base64.RawURLEncoding.EncodeToString(tag[:])}}
	a, err := d.process.send(c.http, http.MethodPost, fmt.Sprintf("%s/v1/epochs/%d/matches", d.process.url, epoch), "", body)
	if err != nil {
		d.outcome, d.detail = errorOutcome(err)
		return
	}
	var found struct {
		Matches []struct {
			Label string `json:"label"`
		} `json:"matches"`
	}
	switch {
	case a.status == http.StatusOK && json.Unmarshal(a.body, &found) == nil:
	case a.status == http.StatusGone: // retired since
		d.outcome, d.detail = failed, a.String()
		return
	default:
		d.outcome, d.detail = failed, a.String()
		c.expect(d, a, http.StatusServiceUnavailable)
		return
	}
	d.outcome, d.detail = acknowledged, fmt.Sprintf("in epoch %d", epoch)
	if len(found.Matches) == 0 {
		return
	}
	d.found.format = directory.Visible
	sealed, err := base64.RawURLEncoding.DecodeString(found.Matches[0].Label)
	if err == nil && len(sealed) == crypto.SealedLabelSize {
		d.found.label, err = known.labels[d.number].Open(tag, crypto.SealedLabel(sealed))
	}
	if err != nil || len(found.Matches) > 1 {
		c.deployment.journal.fault("%s: %v at %.3fs found a label that does not open", c.name, &d.call, d.began.Seconds())
	}
}

// epoch asks the server for its epochs and returns the one to look in.
func (c *client) epoch(d *done) (uint32, bool) {
	a, err := d.process.send(c.http, http.MethodGet, d.process.url+"/v1/directory", "", nil)
	if err != nil {
		d.outcome, d.detail = errorOutcome(err)
		return 0, false
	}
	var info struct {
		Epochs []struct {
			ID    uint32 `json:"id"`
			State string `json:"state"`
		} `json:"epochs"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &info) != nil || len(info.Epochs) == 0 {
		d.outcome, d.detail = failed, a.String()
		c.expect(d, a, http.StatusServiceUnavailable)
		return 0, false
	}
	for _, e := range info.Epochs {
		if d.older || e.State == string(keyring.StateActive) {
			return e.ID, true
		}
	}
	return info.Epochs[0].ID, true
}
