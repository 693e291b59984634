package client_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
)

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*client.Options)
		want   error
		text   string // in the error
	}{
		{"no server", func(o *client.Options) { o.Server = "" }, client.ErrOptions, "Server is required"},
		{"server without scheme", func(o *client.Options) { o.Server = "kith.test" }, client.ErrOptions, "https://"},
		{"server that is no URL", func(o *client.Options) { o.Server = "https://a b" }, client.ErrOptions, "not a URL"},
		{"server of another scheme", func(o *client.Options) { o.Server = "ftp://kith.test" }, client.ErrOptions, "https://"},
		{"server without host", func(o *client.Options) { o.Server = "https://:443" }, client.ErrOptions, "no host"},
		{"server with password", func(o *client.Options) { o.Server = "https://u:p@kith.test" }, client.ErrOptions, "no user"},
		{"server with query", func(o *client.Options) { o.Server = "https://kith.test?a=b" }, client.ErrOptions, "query"},
		{"server with fragment", func(o *client.Options) { o.Server = "https://kith.test#a" }, client.ErrOptions, "fragment"},
		{"http", func(o *client.Options) { o.Server = "http://kith.test" }, client.ErrInsecure, ""},
		{"http to an address", func(o *client.Options) { o.Server = "http://192.0.2.1" }, client.ErrInsecure, ""},
		{"http to a name that begins like loopback", func(o *client.Options) {
			o.Server = "http://127.0.0.1.kith.test"
		}, client.ErrInsecure, ""},
		{"no token", func(o *client.Options) { o.Token = nil }, client.ErrOptions, "Token"},
		{"no state", func(o *client.Options) { o.State = nil }, client.ErrOptions, "State"},
		{"no region", func(o *client.Options) { o.Region = "" }, client.ErrOptions, "Region or OwnNumber"},
		{"unknown region", func(o *client.Options) { o.Region = "XX" }, client.ErrOptions, "Region"},
		{"own number that is none", func(o *client.Options) { o.Region, o.OwnNumber = "", "0415" }, client.ErrOptions, "OwnNumber"},
		{"unknown mode", func(o *client.Options) { o.Mode = "psychic" }, client.ErrMode, ""},
		{"unknown MinPrivacy", func(o *client.Options) { o.MinPrivacy = "auto" }, client.ErrOptions, "MinPrivacy"},
		{"mode below MinPrivacy", func(o *client.Options) { o.MinPrivacy = client.ModeBucket }, client.ErrOptions, "MinPrivacy"},
		{"unknown labels", func(o *client.Options) { o.Labels = "all" }, client.ErrOptions, "Labels"},
		{"pin of a wrong length", func(o *client.Options) { o.PublicKey = []byte{1} }, client.ErrOptions, "PublicKey"},
		{"empty pin", func(o *client.Options) { o.PublicKey = []byte{} }, client.ErrOptions, "PublicKey"},
		{"witnesses without a log", func(o *client.Options) { o.KeyLog.Witnesses = []string{"x"} }, client.ErrOptions, "VerifierKey"},
		{"quorum without a log", func(o *client.Options) { o.KeyLog.Quorum = 1 }, client.ErrOptions, "VerifierKey"},
		{"verifier key that is none", func(o *client.Options) { o.KeyLog.VerifierKey = "x" }, client.ErrOptions, "KeyLog.VerifierKey"},
		{"witness that is none", func(o *client.Options) {
			o.KeyLog = client.KeyLog{VerifierKey: logSigner(t).VerifierKey(), Witnesses: []string{logSigner(t).VerifierKey()}}
		}, client.ErrOptions, "KeyLog.Witnesses"},
		{"witness twice", func(o *client.Options) {
			w := newWitness(t, "w").WitnessKey()
			o.KeyLog = client.KeyLog{VerifierKey: logSigner(t).VerifierKey(), Witnesses: []string{w, w}}
		}, client.ErrOptions, "twice"},
		{"quorum above the witnesses", func(o *client.Options) {
			o.KeyLog = client.KeyLog{VerifierKey: logSigner(t).VerifierKey(), Quorum: 1}
		}, client.ErrOptions, "Quorum"},
		{"negative quorum", func(o *client.Options) {
			o.KeyLog = client.KeyLog{VerifierKey: logSigner(t).VerifierKey(), Quorum: -1}
		}, client.ErrOptions, "Quorum"},
		{"negative wait", func(o *client.Options) { o.MaxWait = -1 }, client.ErrOptions, "MaxWait"},
		{"negative timeout", func(o *client.Options) { o.RequestTimeout = -time.Second }, client.ErrOptions, "RequestTimeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := testOptions(newFakeServer(t, nil))
			tt.change(&o)
			_, err := client.New(o)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got error %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

func TestNewAccepts(t *testing.T) {
	key := newFakeServer(t, nil).epochs[0].key.PublicKey().Bytes()
	for _, tt := range []struct {
		name   string
		change func(*client.Options)
	}{
		{"path and slash", func(o *client.Options) { o.Server = "https://kith.test:8443/contacts/" }},
		{"localhost", func(o *client.Options) { o.Server = "http://localhost:8080" }},
		{"IPv4 loopback", func(o *client.Options) { o.Server = "http://127.8.0.1" }},
		{"IPv6 loopback", func(o *client.Options) { o.Server = "http://[::1]:1" }},
		{"plaintext on purpose", func(o *client.Options) { o.Server, o.AllowPlaintext = "http://kith.test", true }},
		{"region in lower case", func(o *client.Options) { o.Region = "us" }},
		{"region of the own number", func(o *client.Options) { o.Region, o.OwnNumber = "", "+14155550100" }},
		{"given region before that of the own number", func(o *client.Options) { o.OwnNumber = "+493023125123" }},
		{"mode auto", func(o *client.Options) { o.Mode = client.ModeAuto }},
		{"mode bucket", func(o *client.Options) { o.Mode = client.ModeBucket }},
		{"mode snapshot", func(o *client.Options) { o.Mode = client.ModeSnapshot }},
		{"pin", func(o *client.Options) { o.PublicKey = key }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newFakeServer(t, map[string]string{"+14155550100": "ada"})
			o := testOptions(s)
			tt.change(&o)
			contacts := []string{"(415) 555-0100"}
			if result := mustSync(t, o, append(manyContacts(1), contact("Ada", contacts...))); len(result.Matches) != 1 {
				t.Errorf("got %d matches, want 1", len(result.Matches))
			}
		})
	}
}

// TestServerSpellings: one server is one server, however its address is written, and another is another.
func TestServerSpellings(t *testing.T) {
	s := newFakeServer(t, nil)
	o := testOptions(s)
	mustSync(t, o, manyContacts(1))
	for _, same := range []string{"https://kith.test/", "HTTPS://KITH.test", "https://kith.test:443//"} {
		o.Server = same
		mustSync(t, o, manyContacts(1))
	}
	for _, other := range []string{"https://kith.example", "https://kith.test:444", "https://kith.test/a"} {
		o.Server = other
		if err := syncError(t, o); !errors.Is(err, client.ErrState) {
			t.Errorf("%s: got error %v, want ErrState", other, err)
		}
	}
	if s.charged != 1 {
		t.Errorf("charged %d, want 1", s.charged)
	}
}

func TestParseMode(t *testing.T) {
	for name, want := range map[string]client.Mode{
		"": client.ModeAuto, "auto": client.ModeAuto, "exact": client.ModeExact, "bucket": client.ModeBucket,
		"snapshot": client.ModeSnapshot,
	} {
		if got, err := client.ParseMode(name); err != nil || got != want {
			t.Errorf("ParseMode(%q): got %q and %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"Exact", "none", " exact"} {
		if got, err := client.ParseMode(name); !errors.Is(err, client.ErrMode) {
			t.Errorf("ParseMode(%q): got %q and %v, want ErrMode", name, got, err)
		}
	}
}
