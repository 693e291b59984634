//go:build !race

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
)

// The plan of all numbers, scaled down: 10^5 in place of 10^10, and prefixes of 6 bits, so that about 1,560 numbers share
// each. The test is built without the race detector alone, under which its 100,000 evaluations take a minute.
const (
	planNumbers = 100_000
	planUsers   = 3_200 // 50 in each of 64 buckets
	planBits    = 6
)

// planNumber returns the i-th number of the plan.
func planNumber(i int) string { return fmt.Sprintf("+141555%05d", i) }

// operator is who runs the server: it has the private key, all that the server stores, and a dictionary of the tags of all
// numbers.
type operator struct {
	tags   []crypto.Tag       // by number of the plan
	number map[crypto.Tag]int // the other way round
}

// newOperator reads the key as the operator can, and makes the dictionary.
func newOperator(t *testing.T, store *redistest.Server, dir string) *operator {
	t.Helper()
	text, err := os.ReadFile(keyDir(dir).path(fileMasterKey))
	if err != nil {
		t.Fatal(err)
	}
	master, err := keyring.ParseMasterKey(string(text))
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(store.Options())
	defer func() { _ = rdb.Close() }()
	keys, err := keyring.Open(context.Background(), rdb, master)
	if err != nil {
		t.Fatal(err)
	}
	current, err := keys.Current()
	if err != nil {
		t.Fatal(err)
	}
	epoch := current.Active()
	if epoch.Layout.BucketBits != planBits {
		t.Fatalf("the epoch has %d bucket bits, want %d", epoch.Layout.BucketBits, planBits)
	}
	o := &operator{tags: make([]crypto.Tag, planNumbers), number: make(map[crypto.Tag]int, planNumbers)}
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < planNumbers; i += workers {
				n, err := epoch.Key.Evaluate([][]byte{normalize.Input(planNumber(i))})
				if err != nil {
					t.Error(err)
					return
				}
				o.tags[i], _ = crypto.Derive(n[0])
			}
		})
	}
	wg.Wait()
	for i, tag := range o.tags {
		o.number[tag] = i
	}
	return o
}

// prefix returns the prefix of a number of the plan.
func (o *operator) prefix(number int) uint32 { return o.tags[number].Prefix(planBits) }

// sharing returns how many numbers of the plan have a prefix.
func (o *operator) sharing(prefix uint32) int {
	n := 0
	for _, tag := range o.tags {
		if tag.Prefix(planBits) == prefix {
			n++
		}
	}
	return n
}

// lookups are what one discovery asked, as the server received it.
type lookups struct {
	tags     []crypto.Tag // by matches
	prefixes []uint32     // by buckets without labels
	labelled []uint32     // by buckets with labels
	gets     []string     // the other requests without a body, by path
	all      []sent
}

// parseLookups sorts a capture. It fails the test on a request of another kind, or one that carries a credential.
func parseLookups(t *testing.T, capture []byte) lookups {
	t.Helper()
	var l lookups
	for _, r := range parseRequests(t, capture) {
		line, _, _ := strings.Cut(r.head, "\n")
		if strings.HasSuffix(line, "/evaluations") {
			continue
		}
		if strings.Contains(r.head, "Authorization") || strings.Contains(r.head, "Cookie") {
			t.Errorf("a lookup carries a credential:\n%s", r.head)
		}
		l.all = append(l.all, r)
		switch {
		case strings.HasSuffix(line, "/matches"):
			for tag := range slices.Chunk(r.body, crypto.TagSize) {
				l.tags = append(l.tags, crypto.Tag(tag))
			}
		case strings.HasSuffix(line, "/buckets"):
			l.prefixes = append(l.prefixes, unpackPrefixes(r.body)...)
		case strings.HasSuffix(line, "/buckets?labels=true"):
			l.labelled = append(l.labelled, unpackPrefixes(r.body)...)
		case strings.HasPrefix(line, "GET ") && len(r.body) == 0:
			l.gets = append(l.gets, strings.TrimPrefix(line, "GET "))
		default:
			t.Errorf("a request of another kind: %s", line)
		}
	}
	return l
}

func unpackPrefixes(body []byte) []uint32 {
	var prefixes []uint32
	for p := range slices.Chunk(body, 4) {
		prefixes = append(prefixes, binary.BigEndian.Uint32(p))
	}
	return prefixes
}

// plan is the scene of the tests below: a server with registered users, its operator, and a recorder before it.
type plan struct {
	*serving
	operator   *operator
	registered []int
}

// newPlan registers the first planUsers numbers of the plan.
func newPlan(t *testing.T) *plan {
	t.Helper()
	store := redistest.Start(t, redistest.AppendFsync("no"))
	s := serve(t, t.TempDir(), "--redis", store.URL(), "--expected-users", fmt.Sprint(planUsers), "--lookups-per-source=-1")
	p := &plan{serving: s}
	var numbers []string
	for i := range planUsers {
		p.registered = append(p.registered, i)
		numbers = append(numbers, planNumber(i))
	}
	s.putMany(t, numbers, func(string) string { return "label" })
	p.operator = newOperator(t, store, s.dir)
	p.waitSnapshot(t)
	return p
}

// waitSnapshot waits until the server offers a snapshot.
func (p *plan) waitSnapshot(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		_, err := p.discover(t, "wait", nil, client.Options{Mode: client.ModeSnapshot})
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no snapshot after a minute: %v", err)
		}
	}
}

// discover looks up numbers of the plan as a device of its own account, with fixed randomness, and returns what it sent.
func (p *plan) discover(t *testing.T, account string, contacts []int, o client.Options) (lookups, error) {
	t.Helper()
	recorder := record(t, strings.TrimPrefix(p.url, "http://"))
	signer, err := keyDir(p.dir).signer()
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Mint(account, "discover", "kith", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	o.Server, o.Token, o.State, o.Region = "http://"+recorder.addr, client.StaticToken(token), client.MemoryState(), "US"
	o.Rand, o.LookupDelay = new(stream), noDelay
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	book := make([]normalize.Contact, len(contacts))
	want := 0
	for i, number := range contacts {
		book[i] = normalize.Contact{Name: fmt.Sprint("Contact ", i), Numbers: []string{planNumber(number)}}
		if number < planUsers {
			want++
		}
	}
	result, err := c.Sync(t.Context(), client.Contacts(book))
	if err != nil {
		return lookups{}, err
	}
	if len(result.Matches) != want {
		t.Errorf("found %d, want %d: the capture proves nothing", len(result.Matches), want)
	}
	return parseLookups(t, recorder.received()), nil
}

// mustDiscover is discover for a call that has to succeed.
func (p *plan) mustDiscover(t *testing.T, account string, contacts []int, o client.Options) lookups {
	t.Helper()
	l, err := p.discover(t, account, contacts, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// twin returns other contacts that are like the given ones to the operator in mode bucket: each has the prefix of its
// counterpart, and is registered or not like it.
func (p *plan) twin(t *testing.T, contacts []int) []int {
	t.Helper()
	used := make(map[int]bool)
	for _, c := range contacts {
		used[c] = true
	}
	out := make([]int, len(contacts))
	for i, c := range contacts {
		found := false
		for other := range planNumbers {
			if !used[other] && p.operator.prefix(other) == p.operator.prefix(c) && (other < planUsers) == (c < planUsers) {
				used[other], out[i], found = true, other, true
				break
			}
		}
		if !found {
			t.Fatal("no other number with the prefix")
		}
	}
	return out
}

// sameRequests fails the test if two discoveries sent different lookups.
func sameRequests(t *testing.T, what string, a, b lookups) {
	t.Helper()
	if len(a.all) != len(b.all) {
		t.Errorf("%s: %d and %d requests", what, len(a.all), len(b.all))
		return
	}
	for i := range a.all {
		if a.all[i].head != b.all[i].head || !bytes.Equal(a.all[i].body, b.all[i].body) {
			t.Errorf("%s: request %d differs", what, i)
		}
	}
}

// TestOperatorWithTheKey plays the operator, who has the private key and a dictionary of all numbers, against each mode
// and each way of getting labels. What it can find out is what docs/privacy.md says, no less in mode exact, and no more
// in the others.
func TestOperatorWithTheKey(t *testing.T) {
	p := newPlan(t)
	o := p.operator
	strangers := []int{50_001, 50_002, 60_003, 60_004, 70_005, 70_006, 80_007, 80_008, 90_009, 90_010, 99_999, 98_765}
	friends := []int{11, 222, 1_333}
	contacts := append(slices.Clone(strangers), friends...)

	t.Run("exact", func(t *testing.T) {
		l := p.mustDiscover(t, "exact", contacts, client.Options{Mode: client.ModeExact})
		var recovered []int
		for _, tag := range l.tags {
			if number, ok := o.number[tag]; ok {
				recovered = append(recovered, number)
			}
		}
		slices.Sort(recovered)
		want := slices.Sorted(slices.Values(contacts))
		if !slices.Equal(recovered, want) {
			t.Errorf("the operator recovers %v, want the whole address book %v, as the documents say", recovered, want)
		}
	})

	t.Run("bucket before a hit", func(t *testing.T) {
		l := p.mustDiscover(t, "bucket-1", strangers, client.Options{Mode: client.ModeBucket})
		if len(l.tags) != 0 || len(l.labelled) != 0 || len(l.prefixes) == 0 {
			t.Fatalf("%d tags, %d prefixes with labels, %d without", len(l.tags), len(l.labelled), len(l.prefixes))
		}
		for _, c := range strangers {
			if !slices.Contains(l.prefixes, o.prefix(c)) {
				t.Errorf("the prefix of contact %d was not asked for", c)
			}
		}
		for _, prefix := range l.prefixes {
			if n := o.sharing(prefix); n < 1_000 {
				t.Errorf("prefix %d is shared by %d numbers, want at least the promised 1,000", prefix, n)
			}
		}
		// Everything sent is the same for others with the same prefixes: the prefixes are all that was told.
		twin := p.mustDiscover(t, "bucket-2", p.twin(t, strangers), client.Options{Mode: client.ModeBucket})
		sameRequests(t, "twins in mode bucket", l, twin)
	})

	t.Run("snapshot before a hit", func(t *testing.T) {
		l := p.mustDiscover(t, "snapshot-1", strangers, client.Options{Mode: client.ModeSnapshot})
		if len(l.tags) != 0 || len(l.labelled) != 0 || len(l.prefixes) != 0 {
			t.Fatalf("%d tags, %d prefixes with labels, %d without, want none", len(l.tags), len(l.labelled), len(l.prefixes))
		}
		others := []int{40_001, 40_002, 40_003, 40_004, 40_005, 40_006, 40_007, 40_008, 40_009, 40_010, 40_011, 40_012}
		sameRequests(t, "any two address books in mode snapshot", l, p.mustDiscover(t, "snapshot-2", others, client.Options{Mode: client.ModeSnapshot}))
	})

	for _, mode := range []client.Mode{client.ModeBucket, client.ModeSnapshot} {
		t.Run(string(mode)+" labels by bucket", func(t *testing.T) {
			options := client.Options{Mode: mode, Labels: client.LabelsByBucket}
			l := p.mustDiscover(t, string(mode)+"-labels-1", contacts, options)
			if len(l.tags) != 0 || len(l.labelled) != 8 {
				t.Fatalf("%d tags and %d prefixes with labels, want 0 and the class of 8 for 3 hits", len(l.tags), len(l.labelled))
			}
			for _, friend := range friends {
				if !slices.Contains(l.labelled, o.prefix(friend)) {
					t.Errorf("the bucket of hit %d was not asked for", friend)
				}
			}
			for _, prefix := range l.labelled {
				users := 0
				for _, user := range p.registered {
					if o.prefix(user) == prefix {
						users++
					}
				}
				if users < 20 {
					t.Errorf("a hit in bucket %d hides among %d users, want about 50", prefix, users)
				}
				if mode == client.ModeBucket && !slices.Contains(l.prefixes, prefix) {
					t.Errorf("prefix %d is asked for with labels and was not before: it stands out", prefix)
				}
			}
			// The operator can not tell these contacts from others with hits in the same buckets.
			twin := p.mustDiscover(t, string(mode)+"-labels-2", p.twin(t, contacts), options)
			sameRequests(t, "twins with hits", l, twin)
		})

		t.Run(string(mode)+" labels by tag", func(t *testing.T) {
			l := p.mustDiscover(t, string(mode)+"-tag", contacts, client.Options{Mode: mode, Labels: client.LabelsByTag})
			var recovered []int
			for _, tag := range l.tags {
				if number, ok := o.number[tag]; ok {
					recovered = append(recovered, number)
				}
			}
			slices.Sort(recovered)
			if !slices.Equal(recovered, friends) {
				t.Errorf("the operator recovers %v, want the hits %v and nobody else", recovered, friends)
			}
		})

		t.Run(string(mode)+" no labels", func(t *testing.T) {
			l := p.mustDiscover(t, string(mode)+"-none", contacts, client.Options{Mode: mode, Labels: client.LabelsNone})
			if len(l.tags) != 0 || len(l.labelled) != 0 {
				t.Errorf("%d tags and %d prefixes with labels, want none", len(l.tags), len(l.labelled))
			}
		})
	}
}

// TestSizesTellNothing compares the lengths of answers for registered and unregistered contacts.
func TestSizesTellNothing(t *testing.T) {
	store := redistest.Start(t, redistest.AppendFsync("no"))
	s := serve(t, t.TempDir(), "--redis", store.URL(), "--expected-users", fmt.Sprint(planUsers))
	s.putMany(t, []string{planNumber(1), planNumber(2)}, func(string) string { return "a label" })
	var answers []int
	for _, number := range []int{1, 2, 50_000, 60_000} {
		recorder := record(t, strings.TrimPrefix(s.url, "http://"))
		book := writeCSV(t, []string{planNumber(number)})
		output(t, "discover", book, "--server", "http://"+recorder.addr, "--token-file", s.token("discover"), "--region", "US",
			"--mode", "bucket", "--labels", "none", "--json")
		answers = append(answers, len(recorder.answered("Kith-Slots")))
	}
	for _, n := range answers {
		if n == 0 || n != answers[0] {
			t.Errorf("answers of %v bytes for two registered and two unregistered contacts, want one length", answers)
			break
		}
	}
}
