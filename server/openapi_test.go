package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"
	"go.yaml.in/yaml/v4"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/apitest"
)

var update = flag.Bool("update", false, "write openapi.json anew")

const (
	documentFile = "../docs/openapi.yaml"
	// The servers of the document.
	publicServer = "https://kith.example"
	adminServer  = "http://127.0.0.1:8081"
)

// document returns the API document, by which send checks each exchange.
var document = sync.OnceValues(func() (*apitest.Document, error) { return apitest.Read(documentFile) })

// apiDocument returns the API document.
func apiDocument(t testing.TB) *apitest.Document {
	t.Helper()
	d, err := document()
	must(t, err)
	return d
}

// documented checks that an exchange is as the API document has it.
func documented(t testing.TB, c call, request *http.Request, a answer) {
	t.Helper()
	if err := apiDocument(t).Check(apitest.Exchange{
		Method: c.method, Target: c.path, Request: request.Header, RequestBody: c.body,
		Status: a.status, Response: a.header, ResponseBody: a.body,
	}); err != nil {
		t.Error(err)
	}
}

// TestServedDocument holds what is served to the document, and to being the same on both listeners.
func TestServedDocument(t *testing.T) {
	text, err := os.ReadFile(documentFile)
	must(t, err)
	var value any
	must(t, yaml.Unmarshal(text, &value))
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	must(t, e.Encode(value))
	if *update {
		must(t, os.WriteFile("openapi.json", want.Bytes(), 0o600))
	}
	if got, err := os.ReadFile("openapi.json"); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Fatalf("openapi.json is not what %s says: %v; run go test -run TestServedDocument -update", documentFile, err)
	}
	s := newStack(t)
	for name, base := range map[string]string{"public": s.public.URL, "admin": s.admin.URL} {
		a := send(t, base, call{method: "GET", path: "/v1/openapi.json"})
		if a.status != 200 || !bytes.Equal(a.body, want.Bytes()) {
			t.Errorf("%s: got %d and %d bytes, want the document of %d", name, a.status, len(a.body), want.Len())
		}
		again := send(t, base, call{method: "GET", path: "/v1/openapi.json", header: http.Header{"If-None-Match": {a.header.Get("ETag")}}})
		if again.status != http.StatusNotModified {
			t.Errorf("%s, with its ETag: got %d, want 304", name, again.status)
		}
	}
}

// TestDocumentHasAllRoutes holds the routes of both listeners to those of the document.
func TestDocumentHasAllRoutes(t *testing.T) {
	s, _ := newOperated(t)
	for server, handler := range map[string]http.Handler{publicServer: s.server.Handler(), adminServer: s.server.AdminHandler()} {
		var routes []string
		for _, r := range handler.(*echo.Echo).Routes() {
			if r.Method != http.MethodHead { // which the document has with GET
				routes = append(routes, r.Method+" "+regexp.MustCompile(`:(\w+)`).ReplaceAllString(r.Path, "{$1}"))
			}
		}
		slices.Sort(routes)
		if want := apiDocument(t).Routes(server); len(routes) < 8 || !slices.Equal(routes, want) {
			t.Errorf("%s: the server has\n%s\nthe document has\n%s", server, strings.Join(routes, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestHeadIsWhereGetIs shows what the document says of HEAD, of all routes.
func TestHeadIsWhereGetIs(t *testing.T) {
	s, _ := newOperated(t)
	for _, handler := range []http.Handler{s.server.Handler(), s.server.AdminHandler()} {
		methods := make(map[string][]string)
		for _, r := range handler.(*echo.Echo).Routes() {
			methods[r.Path] = append(methods[r.Path], r.Method)
		}
		for path, m := range methods {
			if slices.Contains(m, "GET") != slices.Contains(m, "HEAD") {
				t.Errorf("%s has the methods %q", path, m)
			}
		}
	}
}

// TestExamplesAreTaken sends the examples of all requests in JSON.
func TestExamplesAreTaken(t *testing.T) {
	s, _ := newOperated(t)
	s.put(t, registration{Number: "+14155550100", Label: "user-1", Version: 6})
	scopes := map[string]string{"evaluations": "discover", "registrations": "register", "matches": "", "buckets": ""}
	sent := 0
	for operation, bodies := range apiDocument(t).Examples() {
		method, path, _ := strings.Cut(operation, " ")
		path = strings.Replace(path, "{epoch}", "1", 1)
		scope, known := scopes[path[strings.LastIndex(path, "/")+1:]]
		base := s.public.URL
		if !known {
			base, scope = s.admin.URL, "operate"
		}
		if len(bodies) == 0 {
			t.Errorf("%s has no example", operation)
		}
		for _, body := range bodies {
			c := call{method: method, path: path, mime: mimeJSON, body: encodeJSON(t, body)}
			if scope != "" {
				c.token = s.mint(t, "alice", scope)
			}
			if a := send(t, base, c); a.status >= 300 {
				t.Errorf("the example of %s: got %d %s", operation, a.status, a.body)
			}
			sent++
		}
	}
	if sent < 8 {
		t.Errorf("%d examples were sent, want at least 8", sent)
	}
}

// TestExampleOfAnEvaluation checks the proof in the document.
func TestExampleOfAnEvaluation(t *testing.T) {
	var served struct {
		Components struct {
			Schemas map[string]struct{ Examples []json.RawMessage }
		}
	}
	text, err := os.ReadFile("openapi.json")
	must(t, err)
	must(t, json.Unmarshal(text, &served))
	example := func(name string, v any) {
		must(t, json.Unmarshal(served.Components.Schemas[name].Examples[0], v))
	}
	var directory directoryInfo
	var asked, answered evaluationAnswer
	example("Directory", &directory)
	example("BlindedElements", &asked)
	example("EvaluatedElements", &answered)
	key, err := base64url.DecodeString(directory.Epochs[0].PublicKey)
	must(t, err)
	pk, err := voprf.UnmarshalPublicKey(key)
	must(t, err)
	all := answered.packed(t)
	evaluated, proof := all[:len(all)-voprf.ProofSize], voprf.Proof(all[len(all)-voprf.ProofSize:])
	if answered.Epoch != directory.Epochs[0].ID || len(asked.Elements) != len(answered.Elements) {
		t.Errorf("%d elements in, %d out, of epoch %d", len(asked.Elements), len(answered.Elements), answered.Epoch)
	}
	if err := pk.VerifyProof(asked.packed(t), evaluated, proof); err != nil {
		t.Errorf("the proof: %v", err)
	}
}
