package server_test

import (
	"net/http"
	"testing"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/keyring"
)

func TestKeyLog(t *testing.T) {
	s := newStack(t)
	var info directoryInfo
	decode(t, s.send(t, call{method: "GET", path: "/v1/directory"}), &info)
	if info.KeyLog == nil || info.KeyLog.Size != 1 {
		t.Fatalf("the directory has key log %+v, want one of 1 entry", info.KeyLog)
	}
	verifier, err := keylog.ParseVerifierKey(info.KeyLog.VerifierKey)
	must(t, err)
	for name, base := range map[string]string{"public": s.public.URL, "admin": s.admin.URL} {
		t.Run(name, func(t *testing.T) {
			a := send(t, base, call{method: "GET", path: "/v1/keylog"})
			var m keylog.Message
			decode(t, a, &m)
			view, err := keylog.Verify(m, verifier, keylog.Options{})
			must(t, err)
			if key, logged := view.Key(1); !logged || string(key[:]) != string(s.publicKey(t)) {
				t.Error("the log does not have the key of epoch 1")
			}
			etag := a.header.Get("ETag")
			if etag == "" || a.header.Get("Cache-Control") != "no-cache" {
				t.Errorf("got ETag %q and Cache-Control %q", etag, a.header.Get("Cache-Control"))
			}
			again := send(t, base, call{method: "GET", path: "/v1/keylog", header: http.Header{"If-None-Match": {etag}}})
			if again.status != http.StatusNotModified || len(again.body) != 0 {
				t.Errorf("with its ETag: got %d and %d bytes, want 304 and none", again.status, len(again.body))
			}
			if head := send(t, base, call{method: "HEAD", path: "/v1/keylog"}); head.status != 200 || head.header.Get("ETag") != etag || len(head.body) != 0 {
				t.Errorf("HEAD: got %d, ETag %q and %d bytes", head.status, head.header.Get("ETag"), len(head.body))
			}
		})
	}
}

func TestKeyLogOfAnUnreadableKeyring(t *testing.T) {
	s := newStack(t, func(c *server.Config) { c.Keyring = failingKeyring{keyring.ErrUnavailable} })
	wantProblem(t, s.send(t, call{method: "GET", path: "/v1/keylog"}), 503, "unavailable")
}
