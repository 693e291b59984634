package server_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto"
)

// TestAccountServiceHasItsOwnRoutes splits the public routes in two, and asks each part for all.
func TestAccountServiceHasItsOwnRoutes(t *testing.T) {
	s := newStack(t)
	devices := httptest.NewServer(s.server.DeviceHandler())
	defer devices.Close()
	service := httptest.NewServer(s.server.AccountServiceHandler())
	defer service.Close()
	put := call{method: "PUT", path: registrationsPath, token: s.mint(t, "account-service", "register"), mime: mimeJSON,
		body: encodeJSON(t, registration{Number: number, Label: "a"})}
	remove := put
	remove.method = "DELETE"
	at := func(c call, path string) call {
		c.path = path
		return c
	}
	tests := []struct {
		name            string
		call            call
		device, service int
	}{
		{"directory", call{method: "GET", path: "/v1/directory"}, 200, 404},
		{"directory by HEAD", call{method: "HEAD", path: "/v1/directory"}, 200, 404},
		{"directory by PUT", call{method: "PUT", path: "/v1/directory"}, 405, 404},
		{"key log", call{method: "GET", path: "/v1/keylog"}, 200, 404},
		{"evaluation", call{method: "POST", path: evaluationsPath, token: s.mint(t, "alice", "discover"), mime: mimePacked, body: blind(t, number).packed}, 200, 404},
		{"lookup", call{method: "POST", path: matchesPath, mime: mimePacked, body: make([]byte, crypto.TagSize)}, 200, 404},
		{"buckets", call{method: "POST", path: bucketsPath, mime: mimePacked, body: make([]byte, 4)}, 200, 404},
		{"registration", put, 404, 204},
		{"removal", remove, 404, 204},
		{"import", s.importCall(t, lineOf(number, "a")), 404, 200},
		{"registration by POST", call{method: "POST", path: registrationsPath}, 404, 405},
		{"registration by no method", call{method: "SECRETWORD", path: registrationsPath}, 404, 405},
		{"an escaped path", at(put, "/v1/%72egistrations"), 404, 404},
		{"an escaped slash", at(put, "/v1%2fregistrations"), 404, 404},
		{"two slashes", at(put, "//v1/registrations"), 404, 404},
		{"a path with dots", at(put, "/v1/epochs/../registrations"), 404, 404},
		{"a slash more", at(put, "/v1/registrations/"), 404, 404},
		{"a query", at(put, "/v1/registrations?a=/v1/directory"), 404, 204},
		{"a word more", at(put, "/v1/registrationsx"), 404, 404},
		{"no route", call{method: "GET", path: "/secretword"}, 404, 404},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, part := range []struct {
				name, url string
				want      int
			}{{"devices", devices.URL, test.device}, {"account service", service.URL, test.service}} {
				a := send(t, part.url, test.call)
				if a.status != part.want {
					t.Errorf("%s: got %d %s, want %d", part.name, a.status, a.body, part.want)
				}
				if part.want == 404 && test.call.method != "HEAD" {
					wantProblem(t, a, 404, "not-found", "secretword")
				}
			}
		})
	}
	wantNone(t, "the log", strings.ToLower(s.log.String()), "secretword", "%72", "..")
}
