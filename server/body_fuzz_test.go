package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/crypto"
)

// bodyContext returns the context of a request with a body.
func bodyContext(mediaType string, body []byte) echo.Context {
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set(echo.HeaderContentType, mediaType)
	return echo.New().NewContext(r, httptest.NewRecorder())
}

const fuzzedTags = 4

func readTags(mediaType string, body []byte) (batch, error) {
	return readBatch(bodyContext(mediaType, body), "tags", crypto.TagSize, fuzzedTags, kindTags)
}

// FuzzReadBatch reads bodies of both kinds. What is accepted is a batch of whole tags within the limit, and has one
// packed form and one text in JSON.
func FuzzReadBatch(f *testing.F) {
	tag := strings.Repeat("t", crypto.TagSize)
	text := encoding.EncodeToString([]byte(tag))
	f.Add(false, []byte(tag))
	f.Add(false, []byte(strings.Repeat(tag, fuzzedTags)))
	f.Add(false, []byte(strings.Repeat(tag, fuzzedTags+1)))
	f.Add(false, []byte(tag[1:]))
	f.Add(true, []byte(`{"tags":["`+text+`","`+text+`"]}`))
	f.Add(true, []byte(`{"tags":["`+text+`="]}`))
	f.Add(true, []byte(`{"tags":["`+text[:10]+`\n`+text[10:]+`"]}`))
	f.Add(true, []byte(`{"tags":["`+text[:21]+`-"]}`))
	f.Add(true, []byte(`{"tags":[],"tags":["`+text+`"]} {}`))
	f.Add(true, []byte(`{"tags":["\ud83d"]}`))
	f.Add(true, []byte(`null`))
	f.Fuzz(func(t *testing.T, inJSON bool, body []byte) {
		mediaType := mimePacked
		if inJSON {
			mediaType = mimeJSON
		}
		got, err := readTags(mediaType, body)
		if err != nil {
			if _, ok := errors.AsType[*refusal](err); !ok || got.packed != nil {
				t.Fatalf("got %v with %d bytes, want a refusal with none", err, len(got.packed))
			}
			return
		}
		if n := len(got.packed); n == 0 || n%crypto.TagSize != 0 || n > fuzzedTags*crypto.TagSize {
			t.Fatalf("accepted a batch of %d bytes", n)
		}
		if got.json != inJSON {
			t.Fatal("the answer would be of the other kind")
		}
		if !inJSON {
			if !bytes.Equal(got.packed, body) {
				t.Fatal("a packed body is not the batch that it gave")
			}
			return
		}
		var object map[string][]string
		if err := json.Unmarshal(body, &object); err != nil {
			t.Fatal(err)
		}
		if want := splitText(got.packed, crypto.TagSize); strings.Join(object["tags"], " ") != strings.Join(want, " ") {
			t.Fatalf("accepted %q for %q", object["tags"], want)
		}
	})
}

// FuzzPutRegistration decodes bodies of registrations. What is accepted says the same when it is written again, and what
// it says is in the body.
func FuzzPutRegistration(f *testing.F) {
	for _, body := range []string{
		`{"number":"+14155552671","label":"user-1","version":7,"discoverable":true}`,
		`{"number":"+1 (415) 555-2671","label":"\ud83d\ude00"}`,
		`{"number":"+14155552671","label":"\\ud83d"}`,
		`{"number":"+14155552671","label":"\ud83d"}`,
		"{\"number\":\"+14155552671\",\"label\":\"\xff\"}",
		`{"number":"+14155552671","discoverable":null}`,
		`{"number":"+14155552671","discoverable":false,"Discoverable":true}`,
		`{"number":"+14155552671","discoverabel":false}`,
		`{"number":"+14155552671","version":9007199254740992}`,
		`{"number":"+14155552671","version":1.5}`,
		`{"number":["+14155552671"]}`,
		`{}{}`,
		`{"number":"\u`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got putRegistrationBody
		if err := readObject(bodyContext(mimeJSON, body), maxRegistration, &got); err != nil {
			if _, ok := errors.AsType[*refusal](err); !ok {
				t.Fatalf("got %v, want a refusal", err)
			}
			return
		}
		if len(body) > maxRegistration || !utf8.Valid(body) {
			t.Fatal("accepted a body that is too long or not UTF-8")
		}
		_, _ = e164(got.Number.value)
		if v, err := versionOf(got.Version); err == nil && got.Version.given && int64(v) != got.Version.value {
			t.Fatalf("version %d became %d", got.Version.value, v)
		}
		if got.Label.given && strings.ContainsRune(got.Label.value, utf8.RuneError) &&
			!bytes.ContainsRune(body, utf8.RuneError) && !bytes.Contains(bytes.ToLower(body), []byte(`\ufffd`)) {
			t.Fatalf("the label became %q", got.Label.value)
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(body, &object); err != nil || object == nil {
			t.Fatalf("accepted what is no object: %v", err)
		}
		again := make(map[string]any)
		put(again, "number", got.Number)
		put(again, "label", got.Label)
		put(again, "version", got.Version)
		put(again, "discoverable", got.Discoverable)
		for name := range object {
			if _, read := again[name]; !read || len(object) != len(again) {
				t.Fatalf("accepted the member %q; read were %v", name, again)
			}
		}
		text, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		var second putRegistrationBody
		if err := decodeJSON(text, &second); err != nil || second != got {
			t.Fatalf("%s: got %+v, %v, want %+v", text, second, err, got)
		}
	})
}

// FuzzReadBuckets decodes lookups of prefixes in JSON. What is accepted says the same when it is written again, in the names
// that it has.
func FuzzReadBuckets(f *testing.F) {
	for _, body := range []string{
		`{"prefixes":[3,1],"labels":true}`, `{"labels":false,"prefixes":[4294967295]}`, `{"Prefixes":[0]}`, `{"prefixes":[null]}`,
		`{"prefixes":[0],"prefixes":[1]}`, `{"prefixes":[1.0]}`, `{"prefixes":[0],"labels":null}`, `{"prefixes":null}`, `{}`, `null`,
	} {
		f.Add([]byte(body))
	}
	s := New(Config{Metrics: NewMetrics(), Limits: Limits{MaxPrefixes: 4}})
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := s.readBuckets(bodyContext(mimeJSON, body))
		if err != nil {
			if _, ok := errors.AsType[*refusal](err); !ok {
				t.Fatalf("got %v, want a refusal", err)
			}
			return
		}
		var object map[string]any
		if err := json.Unmarshal(body, &object); err != nil || object == nil {
			t.Fatalf("accepted what is no object: %v", err)
		}
		want := make(map[string]any)
		if _, given := object["prefixes"]; given {
			prefixes := make([]any, len(got.prefixes))
			for i, prefix := range got.prefixes {
				prefixes[i] = float64(prefix)
			}
			want["prefixes"] = prefixes
		}
		if _, given := object["labels"]; given {
			want["labels"] = got.labels
		}
		if !reflect.DeepEqual(object, want) {
			t.Fatalf("accepted %v for %v", want, object)
		}
	})
}

// put sets a member of an object if it was given.
func put[T any](object map[string]any, name string, m member[T]) {
	if m.given {
		object[name] = m.value
	}
}
