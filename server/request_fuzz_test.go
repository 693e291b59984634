package server_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/server"
)

// fuzzedHeaders are the headers that handlers look at. Another name is looked at by none.
var fuzzedHeaders = []string{
	"Idempotency-Key", "If-None-Match", "If-Match", "If-Range", "Range", "If-Modified-Since", "Accept", "Authorization",
	"Content-Encoding", "Content-Type", "X-Request-Id",
}

// routeOf is a route, whose path has names of parameters, and the handler of its address.
type routeOf struct {
	method, path string
	handler      http.Handler
	scope        string
}

// routesOf returns the routes of both addresses, but for the profiles, which take as long as they are asked to.
func routesOf(s *stack) []routeOf {
	var routes []routeOf
	for scope, handler := range map[string]http.Handler{"": s.server.Handler(), "operate": s.server.AdminHandler()} {
		for _, r := range handler.(*echo.Echo).Routes() {
			if strings.Contains(r.Path, "pprof") || r.Method == http.MethodHead { // whose bodies net/http leaves out
				continue
			}
			of := routeOf{r.Method, r.Path, handler, scope}
			switch {
			case scope == "" && strings.Contains(r.Path, "registrations"):
				of.scope = "register"
			case strings.Contains(r.Path, "evaluations"), strings.Contains(r.Path, "quota") && scope == "":
				of.scope = "discover"
			}
			routes = append(routes, of)
		}
	}
	slices.SortFunc(routes, func(a, b routeOf) int { return strings.Compare(a.scope+a.path+a.method, b.scope+b.path+b.method) })
	return routes
}

// FuzzRequests asks every route with any parameter, query, header and body, and with a token that is good. Whatever is asked, it is
// answered as the API document says, and never as a fault of the server, which is what a panic looks like.
func FuzzRequests(f *testing.F) {
	operator := new(fakeOperator)
	s := newStack(f, func(c *server.Config) { c.Operator = operator })
	s.runLookups(f)
	routes := routesOf(s)
	tokens := map[string]string{"": ""}
	for _, scope := range []string{"discover", "register", "operate"} {
		tokens[scope] = "Bearer " + s.mint(f, "account", scope)
	}
	for i, r := range routes {
		n := uint8(i)
		f.Add(n, "1", "", uint8(0), "k", mimeJSON, []byte(`{}`))
		f.Add(n, "1", "labels=true&since=1.0", uint8(1), `W/"x", *`, mimePacked, make([]byte, 64))
		f.Add(n, "4294967296", "since=%zz&seconds=1", uint8(4), "bytes=0-0,5-,-9223372036854775808", "", []byte(nil))
		for _, body := range bodiesOf(r.path) {
			f.Add(n, "1", "", uint8(6), mimePacked, mimeJSON, []byte(body))
		}
	}
	for i, value := range []string{strings.Repeat("k", 129), `"`, "", "\x00", "bytes=18446744073709551616-", "-1", "*/*;q=x", "Bearer a.b.c", "gzip", "a/b; c=\"", "é"} {
		f.Add(uint8(i), "1", "", uint8(i), value, mimePacked, []byte("x"))
	}
	f.Fuzz(func(t *testing.T, route uint8, parameter, query string, header uint8, value, mediaType string, body []byte) {
		r := routes[int(route)%len(routes)]
		segments := strings.Split(r.path, "/")
		for i, segment := range segments {
			if strings.HasPrefix(segment, ":") {
				segments[i] = url.PathEscape(parameter)
			}
		}
		target, err := url.ParseRequestURI(strings.Join(segments, "/") + "?" + strings.ReplaceAll(query, "#", ""))
		if err != nil {
			return // is refused by net/http
		}
		request := &http.Request{
			Method: r.method, URL: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "kith.example", RemoteAddr: "192.0.2.1:1",
			Header: http.Header{"Content-Type": {mediaType}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		}
		if text := tokens[r.scope]; text != "" {
			request.Header.Set("Authorization", text)
		}
		request.Header.Set(fuzzedHeaders[int(header)%len(fuzzedHeaders)], value)
		operator.calls = nil
		answered := httptest.NewRecorder()
		r.handler.ServeHTTP(answered, request.WithContext(t.Context()))
		if answered.Code == http.StatusInternalServerError || answered.Code < 200 {
			t.Fatalf("%s %s: %d %s", r.method, r.path, answered.Code, answered.Body)
		}
		documented(t, call{method: r.method, path: target.RequestURI(), body: body}, request, answer{status: answered.Code, header: answered.Result().Header, body: answered.Body.Bytes()})
		if answered.Code < 400 {
			return
		}
		if got := answered.Header().Get("Content-Type"); got != mimeProblem {
			t.Errorf("%s %s: %d of type %q", r.method, r.path, answered.Code, got)
		}
		if secret := tokens[r.scope]; secret != "" && strings.Contains(fmt.Sprint(slices.Collect(maps.Values(answered.Header())), answered.Body), secret[7:]) {
			t.Errorf("%s %s: the token is in the answer", r.method, r.path)
		}
	})
}

// bodiesOf returns bodies that a route takes, and some that it does not.
func bodiesOf(path string) []string {
	element := base64url.EncodeToString(make([]byte, 32))
	for part, bodies := range map[string][]string{
		"evaluations":   {`{"elements":["` + element + `"]}`},
		"matches":       {`{"tags":["` + element[:22] + `"]}`},
		"buckets":       {`{"prefixes":[3,1],"labels":true}`},
		"import":        {`{"number":"+14155550100","label":"a"}` + "\n" + `{"number":1}` + "\n\n{"},
		"registrations": {`{"number":"+14155550100","label":"a","version":7,"discoverable":false}`, `{"number":"+14155550100"}`},
		"raise":         {`{"account":"a","burst":5,"refill_per_day":-1}`, `{"account":"a","burst":50000001}`},
		"quotas":        {`{"account":"a"}`, `{"account":""}`},
		"activate":      {`{"accept_loss":3}`, `{"accept_loss":-1}`},
		"cosignatures":  {`{"witness_key":"w+1+A","signature":"x"}`},
		"epochs":        {`{"drain_seconds":90,"window_seconds":60,"auto":true,"expected_users":10000000000}`, `{"window_seconds":-9223372036854775808}`},
	} {
		if strings.Contains(path, part) {
			return bodies
		}
	}
	return nil
}
