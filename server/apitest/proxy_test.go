package apitest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestProxy passes requests on as they are, and reports those whose answer is not as documented.
func TestProxy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Forwarded-For") != "" || r.URL.RawQuery != "brief=true" && r.Method == http.MethodGet {
			t.Errorf("the server got %s %v", r.URL, r.Header)
		}
		w.Header().Set("Kith-Count", "1")
		w.Header().Set("Content-Type", typeJSON)
		if r.Method == http.MethodPost {
			if string(body) != question {
				t.Errorf("the server got %q", body)
			}
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, (`{"name":"` + r.Header.Get("Name") + `"}`)[:12]) // cut off if the name is longer
	}))
	defer server.Close()
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var reported []string
	proxy := httptest.NewServer(smallDocument(t).Proxy(target, func(err error) { reported = append(reported, err.Error()) }))
	defer proxy.Close()

	get := func(name string) string {
		r, err := http.NewRequestWithContext(t.Context(), "GET", proxy.URL+"/things/1?brief=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Name", name)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		return string(body)
	}
	if got := get("a"); got != `{"name":"a"}` || len(reported) != 0 {
		t.Errorf("got %q, reported %q, want the answer and nothing", got, reported)
	}
	if got := get("bc"); got != `{"name":"bc"` || len(reported) != 1 || !strings.Contains(reported[0], "GET /things/1?brief=true answered 200") {
		t.Errorf("got %q, reported %q, want the answer and a report", got, reported)
	}
	if _, err := http.Post(proxy.URL+"/things/1", typeJSON, strings.NewReader(question)); err == nil {
		t.Error("an answer where the server gave none")
	}
}
