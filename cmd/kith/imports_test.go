package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kith-project/kith/"

// imports lists which packages of Kith each package may import: downward only, and no other way. A new package is
// entered here. Test files may import what they like.
var imports = map[string][]string{
	"crypto/secret":                      {},
	"crypto/keylog":                      {"crypto/secret"},
	"crypto/dudect":                      {}, // imported by tests alone
	"crypto/ristretto":                   {"crypto/ristretto/internal/ifma", "crypto/ristretto/internal/sha512x8", "crypto/secret"},
	"crypto/ristretto/internal/ifma":     {},
	"crypto/ristretto/internal/sha512x8": {},
	"crypto/voprf":                       {"crypto/ristretto", "crypto/secret"},
	"crypto":                             {"crypto/secret", "crypto/voprf"},
	"crypto/filter":                      {"crypto"},
	"normalize":                          {},
	"client":                             {"crypto", "crypto/filter", "crypto/keylog", "crypto/secret", "crypto/voprf", "normalize"},
	"bench":                              {"client"},
	"bench/compare":                      {"bench/meter", "crypto/ristretto"},
	"bench/engine":                       {"bench/meter", "crypto/ristretto", "crypto/voprf"},
	"bench/guard":                        {"bench/compare", "bench/engine"},
	"bench/load":                         {"bench/meter", "client", "crypto", "crypto/filter", "crypto/voprf", "normalize"},
	"bench/meter":                        {},
	"bench/report":                       {"bench/compare", "bench/engine"},
	"bench/rig":                          {},
	"bench/size":                         {"client", "crypto/filter"},
	"server/chaos":                       {}, // tests alone
	"server/ephemeral":                   {},
	"server/redistest":                   {"server/ephemeral"},
	"server/apitest":                     {}, // imported by tests alone, like redistest
	"server/token":                       {},
	"server/admission":                   {},
	"server/evaluator":                   {"crypto/voprf"},
	"server/quota":                       {"crypto/secret"},
	"server/usage":                       {},
	"server/directory":                   {"crypto"},
	"server/bucket":                      {"crypto", "crypto/secret", "server/directory"},
	"server/keyring":                     {"crypto", "crypto/keylog", "crypto/secret", "crypto/voprf", "server/directory"},
	"server/registry":                    {"crypto", "crypto/secret", "crypto/voprf", "normalize", "server/directory", "server/keyring"},
	"server/snapshot":                    {"crypto", "crypto/filter", "server/directory"},
	"server/rotation":                    {"crypto", "crypto/keylog", "crypto/voprf", "server/directory", "server/keyring"},
	"server/lookup":                      {"crypto", "server/bucket", "server/directory", "server/keyring", "server/snapshot"},
	"server": {"crypto", "crypto/keylog", "crypto/secret", "crypto/voprf", "normalize", "server/admission", "server/bucket", "server/directory", "server/evaluator", "server/keyring",
		"server/lookup", "server/quota", "server/registry", "server/snapshot", "server/token"},
	"cmd/kith": {"bench", "bench/compare", "bench/engine", "bench/guard", "bench/load", "bench/meter", "bench/report", "bench/rig", "bench/size", "client", "crypto", "crypto/keylog", "crypto/ristretto", "crypto/secret", "crypto/voprf", "normalize", "server", "server/admission", "server/bucket",
		"server/directory", "server/ephemeral", "server/evaluator", "server/keyring", "server/lookup", "server/quota", "server/registry",
		"server/rotation", "server/snapshot", "server/token", "server/usage"},
}

// only lists outside packages with the packages of Kith that may import them.
var only = map[string][]string{
	"github.com/labstack/echo":        {"bench/compare", "server"},
	"github.com/cloudflare/circl":     {"bench/compare", "bench/engine"},
	"filippo.io/edwards25519":         {"crypto/ristretto"},
	"github.com/alicebob/miniredis":   {"server/ephemeral"},
	"github.com/nyaruka/phonenumbers": {"normalize"},
	"github.com/golang-jwt/jwt":       {"server/token"},
	"github.com/MicahParks":           {"server/token"},
	"github.com/prometheus":           {"server"},
	"github.com/redis/go-redis": {"server/directory", "server/keyring", "server/lookup", "server/quota", "server/rotation", "server/snapshot",
		"server/ephemeral", "server/redistest", "server/usage", "bench/compare", "bench/meter", "bench/rig", "cmd/kith"},
	"github.com/alecthomas/kong":      {"cmd/kith"},
	"testing":                         {"server/redistest"},
	"github.com/schollz/progressbar":  {"cmd/kith"},
	"github.com/emersion/go-vcard":    {"normalize"},
	"gonum.org/v1/plot":               {"bench", "bench/load", "bench/report"},
	"github.com/HdrHistogram":         {"bench/load"},
	"golang.org/x/mod":                {"crypto/keylog"},
	"golang.org/x/net":                {},
	"golang.org/x/text":               {"normalize"},
	"math/rand":                       {"bench/load", "client", "crypto/dudect"}, // a schedule, jitter, and the order of samples
	"github.com/FastFilter/xorfilter": {"crypto/filter"},
	"github.com/getkin/kin-openapi":   {"server/apitest"}, // and so in no binary
	"go.yaml.in/yaml":                 {},
	"github.com/rogpeppe/go-internal": {},
	"go.uber.org/goleak":              {},
	"pgregory.net/rapid":              {},
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// list runs go list on every package of the module.
func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImportsRunDownward(t *testing.T) {
	found := 0
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		allowed, known := imports[name]
		if !known {
			t.Errorf("package %s is not in the table of imports", name)
			continue
		}
		found++
		for _, imported := range p.Imports {
			if inside, ok := strings.CutPrefix(imported, module); ok && !slices.Contains(allowed, inside) {
				t.Errorf("%s imports %s, which the table does not allow", name, inside)
			}
			for outside, importers := range only {
				if (imported == outside || strings.HasPrefix(imported, outside+"/")) && !slices.Contains(importers, name) {
					t.Errorf("%s imports %s, which is for %v alone", name, imported, importers)
				}
			}
		}
	}
	if found != len(imports) {
		t.Errorf("%d packages found, the table has %d", found, len(imports))
	}
}

// TestClientLinksNoServer looks at everything that an app which links the client would carry.
func TestClientLinksNoServer(t *testing.T) {
	for _, p := range list(t) {
		if p.ImportPath != module+"client" {
			continue
		}
		for _, dependency := range p.Deps {
			for _, unwanted := range []string{module + "server", "github.com/redis/", "github.com/labstack/", "github.com/prometheus/"} {
				if strings.HasPrefix(dependency, unwanted) {
					t.Errorf("client depends on %s", dependency)
				}
			}
		}
		return
	}
	t.Error("no package client")
}
