package client

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
)

// FuzzDecodeDirectory reads what any server says of itself. What is taken has one active epoch with a key, and limits and figures
// that every mode it offers can be planned with.
func FuzzDecodeDirectory(f *testing.F) {
	key := base64.RawURLEncoding.EncodeToString(deriveKey(f).PublicKey().Bytes())
	good := fmt.Sprintf(`{"suite":%q,"mode":%d,"profile":%q,"epochs":[{"id":1,"state":"active","public_key":%q,"bucket_bits":8,"slots":90,"tag_bytes":6,`+
		`"snapshot":{"bytes":1000,"changes_bytes_a_day":900}}],"limits":{"max_elements":1024,"max_tags":4096,"max_prefixes":4096,"max_label_prefixes":256},`+
		`"modes":["exact","bucket","snapshot"],"migration":{"from":1,"to":2,"begins":5,"ends":9}}`, voprf.Suite, voprf.Mode, normalize.Profile, key)
	f.Add([]byte(good))
	for _, change := range [][2]string{
		{`"id":1`, `"id":-1`}, {`"bucket_bits":8`, `"bucket_bits":64`}, {`"slots":90`, `"slots":-9223372036854775808`}, {`"tag_bytes":6`, `"tag_bytes":99`},
		{`"bytes":1000`, `"bytes":9223372036854775807`}, {`900}`, `-1}`}, {`1024`, `0`}, {`4096,`, `-4096,`}, {`"begins":5`, `"begins":10`}, {key, key[1:]},
		{`"active"`, `"retired"`},
	} {
		f.Add(bytes.Replace([]byte(good), []byte(change[0]), []byte(change[1]), 1))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := decodeDirectory(body)
		if err != nil {
			if incompatible := new(IncompatibleError); !errors.Is(err, ErrAnswer) && !errors.Is(err, ErrNoEpoch) && !errors.As(err, &incompatible) {
				t.Errorf("got %v", err)
			}
			return
		}
		if !d.active.isActive() || d.publicKey == nil || d.maxElements < 1 || d.maxElements > voprf.MaxBatch {
			t.Errorf("got %+v", d)
		}
		for _, m := range byPrivacy {
			if d.check(m) == nil {
				checkPlan(t, d, m)
			}
		}
	})
}

// checkPlan plans a first Sync of one mode as ModeAuto does.
func checkPlan(t *testing.T, d *directory, m Mode) {
	t.Helper()
	s := situation{
		offered: []Mode{m}, minPrivacy: ModeExact, labels: LabelsByBucket, figures: d.figures, budget: 1e6, left: 1e6, numbers: 100, new: 100,
		missing: d.figures.SnapshotBytes + d.figures.manifestCost(),
	}
	if m != ModeBucket && d.check(ModeBucket) != nil {
		s.labels = LabelsNone // whose buckets were not checked
	}
	c, err := s.choose()
	if err == nil && (c.mode != m || c.why == "" || len(c.why) > 1000) {
		t.Errorf("%s: got %+v", m, c)
	}
}

func deriveKey(t testing.TB) *voprf.PrivateKey {
	t.Helper()
	key, err := voprf.DeriveKeyPair(make([]byte, voprf.SeedSize), []byte("fuzz"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// FuzzReadProblem reads any answer that is an error. Whatever it is, no text of it comes into the error but a word, and no wait is
// longer than the longest.
func FuzzReadProblem(f *testing.F) {
	f.Add(429, "application/problem+json", "3600", []byte(`{"code":"quota-exceeded","title":"No.","limit":5,"remaining":2}`))
	f.Add(503, "application/problem+json; charset=utf-8", "Wed, 25 Nov 2026 05:00:00 GMT", []byte(`{"code":"+14155550100"}`))
	f.Add(500, "text/html", "-1", []byte(`<html>`))
	f.Add(400, "application/problem+json", "99999999999999999999", []byte(`{"code":"a","limit":-5,"remaining":-9223372036854775808,"title":"\ud83d`))
	f.Fuzz(func(t *testing.T, status int, mediaType, after string, body []byte) {
		header := http.Header{"Content-Type": {mediaType}, "Retry-After": {after}}
		p := readProblem("evaluations", &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body))})
		if p.RetryAfter < 0 || p.RetryAfter > maxRetryAfter || p.Limit < 0 || p.Remaining < 0 || len(p.Title) > maxTitle || len(p.Code) > maxCode {
			t.Errorf("got %#v", p)
		}
		text := "client: evaluations: server answered " + strconv.Itoa(status)
		if p.Code != "" {
			text += " " + p.Code
		}
		if got := p.Error(); !strings.HasPrefix(got, text) || strings.ContainsAny(p.Code, "0123456789+/") {
			t.Errorf("got %q", got)
		}
		_, again := (&retryPolicy{maxWait: time.Minute, jitter: func(time.Duration) time.Duration { return 0 }}).wait(p, 1)
		if again && !p.temporary() {
			t.Errorf("%d would be tried again", status)
		}
	})
}

// FuzzManifest reads any manifest and any stored copy of one. What is taken lists each shard once, with sums that are right.
func FuzzManifest(f *testing.F) {
	id := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	good := `{"epoch":1,"created_ms":1,"max_age":60,"filter":"binary-fuse-16","shard_bits":0,"bytes":80,"changes_since":"1.0","shards":[{"shard":0,"id":"` + id + `","bytes":80}]}`
	f.Add([]byte(good), []byte(`{"manifest":`+good+`,"position":"1.0","changes":""}`))
	f.Add([]byte(strings.Replace(good, `"shard_bits":0`, `"shard_bits":63`, 1)), []byte(`{}`))
	f.Add([]byte(strings.ReplaceAll(good, `80`, `9223372036854775807`)), []byte(`{"manifest":null}`))
	f.Add([]byte(`null`), []byte(`{"manifest":`+good+`,"position":"1.0","changes":"AA=="}`))
	f.Fuzz(func(t *testing.T, body, stored []byte) {
		if m, err := decodeManifest(body, 1); err == nil {
			checkManifest(t, m)
		}
		cache := MemoryCache()
		r := &run{Client: &Client{options: Options{Server: "https://kith.example", Cache: cache}}}
		if err := cache.Put(t.Context(), r.copyKey(), stored); err != nil {
			t.Fatal(err)
		}
		c, err := r.storedCopy(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c != nil {
			checkManifest(t, c.Manifest)
			_ = c.outgrown()
		}
	})
}

func checkManifest(t *testing.T, m *manifest) {
	t.Helper()
	var sum int64
	for i, s := range m.Shards {
		if s.Number != uint32(i) || s.Bytes < 1 || s.Bytes > maxShard {
			t.Errorf("shard %d is %+v", i, s)
		}
		sum += s.Bytes
	}
	if sum != m.Bytes || len(m.Shards) != 1<<m.ShardBits {
		t.Errorf("%d shards of %d bytes, want %d bytes", len(m.Shards), sum, m.Bytes)
	}
	_ = m.expired(0, time.Now())
}
