//go:build large

package client

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/redistest"
	"github.com/kith-project/kith/server/token"
)

const (
	overloadFactor  = 3
	overloadTime    = 30 * time.Second
	peakTime        = 10 * time.Second
	peakClients     = 24
	leastGoodput    = 0.9
	longestRefusal  = 50 * time.Millisecond
	overloadSettles = 3 * time.Second // of overloadTime, in which the queue fills
)

// overload is a kith serve on a Redis of its own, and the devices that ask it. Their requests are sent by what Sync sends
// them with, retries included; their elements are blinded beforehand, so that the devices leave the cores to the server.
type overload struct {
	t      *testing.T
	batch  int // elements of a request
	server string
	signer *token.Signer
	body   []byte
	via    *http.Client
	timed  *timedTransport
	pid    int // of the server
	n      atomic.Int64
	minted []string // tokens, by device
}

// timedTransport notes how long each refusal took.
type timedTransport struct {
	http.RoundTripper
	attempts atomic.Int64

	mu       sync.Mutex
	refusals []time.Duration
}

func (t *timedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.attempts.Add(1)
	began := time.Now()
	answer, err := t.RoundTripper.RoundTrip(r)
	if err == nil && answer.StatusCode == http.StatusServiceUnavailable {
		t.mu.Lock()
		t.refusals = append(t.refusals, time.Since(began))
		t.mu.Unlock()
	}
	return answer, err
}

// within returns the time in which a part of the refusals were answered, and how many there were.
func (t *timedTransport) within(part float64) (time.Duration, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.refusals) == 0 {
		return 0, 0
	}
	slices.Sort(t.refusals)
	return t.refusals[int(part*float64(len(t.refusals)-1))], len(t.refusals)
}

func newOverload(t *testing.T, batch int) *overload {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	kith := filepath.Join(dir, "kith")
	if out, err := exec.Command("go", "build", "-o", kith, "../cmd/kith").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	o := &overload{t: t, batch: batch}
	var err error
	o.signer, err = token.NewSigner()
	check(err)
	public, err := o.signer.MarshalPublicPEM()
	check(err)
	check(os.WriteFile(filepath.Join(dir, "issuer.pem"), public, 0o600))
	pin(t, os.Getpid(), 1) // devices, and Redis, which is started by this process
	store := redistest.Start(t)
	cmd := exec.Command(kith, "serve", "--listen", "127.0.0.1:0", "--redis", store.URL(), "--dir", filepath.Join(dir, "keys"),
		"--token-keys", filepath.Join(dir, "issuer.pem"), "--max-connections", "4096", "--connections-per-source", "4096")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1") // the other core is for the devices and Redis
	stdout, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	o.pid = cmd.Process.Pid
	pin(t, o.pid, 0)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if name == "serving" {
			o.server = strings.TrimSpace(value)
		} else if name == "keys" {
			break
		}
	}
	if o.server == "" {
		t.Fatal("kith serve did not start")
	}
	blinds, err := voprf.RandomBlinds(rand.Reader, batch)
	check(err)
	inputs := make([][]byte, batch)
	for i := range inputs {
		inputs[i] = normalize.Input(fmt.Sprintf("+1415555%04d", i))
	}
	o.body, err = voprf.Blind(inputs, blinds)
	check(err)
	transport := &http.Transport{MaxIdleConnsPerHost: 2048, MaxConnsPerHost: 2048} // more than the queue has room for
	t.Cleanup(transport.CloseIdleConnections)
	o.timed = &timedTransport{RoundTripper: transport}
	o.via = &http.Client{Transport: o.timed}
	return o
}

// pin gives a process one core, so that devices, of which there are many, do not take that of the server. Without taskset, or with
// one core, they share what there is.
func pin(t *testing.T, pid, core int) {
	t.Helper()
	if runtime.NumCPU() < 2 {
		return
	}
	if out, err := exec.Command("taskset", "-a", "-c", "-p", fmt.Sprint(core), fmt.Sprint(pid)).CombinedOutput(); err != nil {
		t.Logf("cores are not divided: %v %s", err, out)
	}
}

// busy returns for how long the server has had a core. On a machine that does other things as well this, and not the clock, is
// what its work can be measured by.
func (o *overload) busy() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", o.pid))
	if err != nil {
		return 0 // no Linux
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	const user, system, tick = 11, 12, 10 * time.Millisecond
	u, _ := strconv.Atoi(fields[user])
	s, _ := strconv.Atoi(fields[system])
	return time.Duration(u+s) * tick
}

// bearer returns the token of a device, of those that were made before if there are as many.
func (o *overload) bearer(device int) (string, error) {
	if device < len(o.minted) {
		return o.minted[device], nil
	}
	return o.signer.Mint(fmt.Sprint("device ", device), token.ScopeDiscover, token.DefaultAudience, time.Now(), time.Hour)
}

// mint makes the tokens of so many devices more, so that signing them does not take the devices' core while they come.
func (o *overload) mint(devices int) {
	o.t.Helper()
	all := int(o.n.Load()) + devices
	for device := range all {
		bearer, err := o.signer.Mint(fmt.Sprint("device ", device), token.ScopeDiscover, token.DefaultAudience, time.Now(), time.Hour)
		if err != nil {
			o.t.Fatal(err)
		}
		o.minted = append(o.minted, bearer)
	}
}

// sync is the evaluation of one device of its own account. It reports whether it was answered.
func (o *overload) sync(ctx context.Context) bool {
	bearer, err := o.bearer(int(o.n.Add(1)))
	if err != nil {
		o.t.Error(err)
		return false
	}
	c, err := New(Options{Server: o.server, Token: StaticToken(bearer), Region: "US", State: MemoryState()})
	if err != nil {
		o.t.Error(err)
		return false
	}
	var key [16]byte
	_, _ = rand.Read(key[:])
	answer, err := c.call(ctx, request{
		name: "evaluations", via: o.via, method: http.MethodPost, path: "/v1/epochs/1/evaluations", body: o.body, accept: typePacked,
		limit: len(o.body) + voprf.ProofSize, token: c.options.Token, key: base64.RawURLEncoding.EncodeToString(key[:]),
	})
	var problem *ProblemError
	if err != nil && ctx.Err() == nil && !(errors.As(err, &problem) && problem.Code == CodeOverloaded) {
		o.t.Error(err)
	}
	return err == nil && len(answer) == len(o.body)+voprf.ProofSize
}

// peak returns how many elements a second are evaluated when there are always some requests, and never too many.
func (o *overload) peak() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), peakTime)
	defer cancel()
	var answered atomic.Int64
	var wg sync.WaitGroup
	for range peakClients {
		wg.Go(func() {
			for ctx.Err() == nil {
				if o.sync(ctx) {
					answered.Add(int64(o.batch))
				}
			}
		})
	}
	wg.Wait()
	return float64(answered.Load()) / peakTime.Seconds()
}

// offer lets devices come at a rate, elements a second, whatever becomes of those before them, and returns how many elements
// a second were evaluated.
func (o *overload) offer(rate float64) float64 {
	ctx, cancel := context.WithTimeout(context.Background(), overloadTime)
	defer cancel()
	began := time.Now()
	var answered atomic.Int64
	var wg sync.WaitGroup
	every := time.Duration(float64(o.batch) / rate * float64(time.Second))
	for next := began; ctx.Err() == nil; next = next.Add(every) {
		time.Sleep(time.Until(next))
		wg.Go(func() {
			if o.sync(ctx) && time.Since(began) > overloadSettles {
				answered.Add(int64(o.batch))
			}
		})
	}
	wg.Wait()
	return float64(answered.Load()) / (overloadTime - overloadSettles).Seconds()
}

// TestOverload offers three times what a server can do: it goes on doing what it can, and refuses the rest at once. Requests have
// the size of an address book, or KITH_OVERLOAD_ELEMENTS elements. Of small ones a server has to refuse more, for which
// docs/performance.md says what is left.
func TestOverload(t *testing.T) {
	batch := 256
	if text := os.Getenv("KITH_OVERLOAD_ELEMENTS"); text != "" {
		size, err := strconv.Atoi(text)
		if err != nil || size < 1 || size > voprf.MaxBatch {
			t.Fatalf("KITH_OVERLOAD_ELEMENTS=%s: from 1 to %d", text, voprf.MaxBatch)
		}
		batch = size
	}
	o := newOverload(t, batch)
	for range 20 {
		o.sync(context.Background()) // warms up
	}
	idle := o.busy()
	peak := o.peak()
	peakBusy := o.busy() - idle
	o.mint(int(overloadFactor * peak * overloadTime.Seconds() / float64(batch)))
	before := o.timed.attempts.Load()
	goodput := o.offer(overloadFactor * peak)
	attempts := o.timed.attempts.Load() - before
	busy := o.busy() - idle - peakBusy
	p99, refusals := o.timed.within(0.99)
	p50, _ := o.timed.within(0.5)
	t.Logf("peak %.0f elements/s; offered %.0f, retries left out, and %.0f with them; goodput %.0f, %.1f %% of the peak",
		peak, overloadFactor*peak, float64(attempts*int64(batch))/overloadTime.Seconds(), goodput, 100*goodput/peak)
	if busy > 0 && peakBusy > 0 {
		perSecond := peak * peakTime.Seconds() / peakBusy.Seconds()
		overloaded := goodput * overloadTime.Seconds() / busy.Seconds()
		t.Logf("the server had %.0f %% of a core at the peak and %.0f %% overloaded, and evaluated %.0f and %.0f elements in a second of it: %.1f %%",
			100*peakBusy.Seconds()/peakTime.Seconds(), 100*busy.Seconds()/overloadTime.Seconds(), perSecond, overloaded, 100*overloaded/perSecond)
	}
	t.Logf("%d refusals, half of them within %v, 99 %% within %v", refusals, p50, p99)
	if goodput < leastGoodput*peak {
		t.Errorf("goodput %.0f, want at least %.0f", goodput, leastGoodput*peak)
	}
	if refusals == 0 || p99 > longestRefusal {
		t.Errorf("99 %% of %d refusals within %v, want some, within %v", refusals, p99, longestRefusal)
	}
}
