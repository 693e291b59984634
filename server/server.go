package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/bucket"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/evaluator"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/registry"
	"github.com/kith-project/kith/server/snapshot"
)

// Keyring is what the server needs of package keyring.
type Keyring interface {
	Current() (*keyring.Snapshot, error)
	Epoch(ctx context.Context, id uint32) (*keyring.Epoch, *keyring.Snapshot, error)
}

// Directory is what the server needs of package directory.
type Directory interface {
	Match(ctx context.Context, layout directory.Layout, tags []crypto.Tag) ([]directory.Match, error)
}

// Lookups is what the server needs of package lookup.
type Lookups interface {
	Tags(ctx context.Context, epoch *keyring.Epoch, buckets []uint32) ([]byte, bucket.Format, error)
	Labels(ctx context.Context, epoch *keyring.Epoch, buckets []uint32) (tags, labels []byte, f bucket.Format, err error)
	Snapshot(epoch *keyring.Epoch) (*snapshot.Store, error)
}

// Registry is what the server needs of package registry.
type Registry interface {
	Put(ctx context.Context, r registry.Registration) (applied bool, err error)
	PutAll(ctx context.Context, regs []registry.Registration) (applied []bool, err error)
	Delete(ctx context.Context, d registry.Deletion) (applied bool, err error)
}

// Usage is what the server needs of package usage.
type Usage interface {
	Add(epoch uint32, elements int)
}

// Verifier is what the server needs of package token.
type Verifier interface {
	Verify(token, scope string) (account string, err error)
}

// Limits bound what one request may ask. They are published in GET /v1/directory, and can not change at run time.
type Limits struct {
	MaxElements      int `json:"max_elements"`       // elements of an evaluation; default 1024, at most voprf.MaxBatch
	MaxTags          int `json:"max_tags"`           // tags of a lookup; default 4096
	MaxPrefixes      int `json:"max_prefixes"`       // prefixes of a bucket lookup; default 4096
	MaxLabelPrefixes int `json:"max_label_prefixes"` // prefixes of one that asks for labels; default 256
}

// DefaultLimits are the limits where none are configured.
var DefaultLimits = Limits{MaxElements: 1024, MaxTags: 4096, MaxPrefixes: 4096, MaxLabelPrefixes: 256}

// withDefaults returns the limits with those of DefaultLimits in place of zeros, by which nothing would be let through.
func (l Limits) withDefaults() Limits {
	return Limits{
		MaxElements:      cmp.Or(l.MaxElements, DefaultLimits.MaxElements),
		MaxTags:          cmp.Or(l.MaxTags, DefaultLimits.MaxTags),
		MaxPrefixes:      cmp.Or(l.MaxPrefixes, DefaultLimits.MaxPrefixes),
		MaxLabelPrefixes: cmp.Or(l.MaxLabelPrefixes, DefaultLimits.MaxLabelPrefixes),
	}
}

// Config is what a Server is made of. All fields up to Metrics are required.
type Config struct {
	Keyring   Keyring
	Directory Directory
	Lookups   Lookups
	Registry  Registry
	Ledger    Ledger
	Verifier  Verifier
	Metrics   *Metrics

	Admission Admission // default: every evaluation begins at once
	Evaluator Evaluator // default: one for all cores, with nonces of Rand
	Quotas    Quotas    // default: the admin listener has no routes for the limits of accounts

	Usage    Usage        // default: evaluations are not counted by key
	Operator Operator     // default: the admin listener rotates no keys
	Logger   *slog.Logger // default: nothing is logged
	Limits   Limits       // default: DefaultLimits, for each that is 0
	Rand     io.Reader    // of proof nonces; default crypto/rand.Reader. Anything else reveals the private key.

	// LookupsPerSource is how many lookups of one address may be under way at once. 0 means DefaultLookupsPerSource, and
	// less means no limit.
	LookupsPerSource int
	// ImportsAtOnce is how many imports may be under way at once. 0 means DefaultImportsAtOnce.
	ImportsAtOnce int
	// BehindProxy takes the address of a source from X-Forwarded-For, as a proxy on a private network has added it.
	// Without it everybody behind a proxy is one source.
	BehindProxy bool
}

// Server answers the public routes.
type Server struct {
	Config
	echo    *echo.Echo
	imports chan struct{} // has one for each import under way
	closing chan struct{} // closed once Run is shutting down
	close   func()        // closes it, the first time
}

// New returns a server. It does not listen: see Listener.
func New(config Config) *Server {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	config.Limits = config.Limits.withDefaults()
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	if config.Usage == nil {
		config.Usage = uncounted{}
	}
	if config.Admission == nil {
		config.Admission = unlimited{}
	}
	if config.Evaluator == nil {
		config.Evaluator = evaluator.New(runtime.GOMAXPROCS(0), config.Rand, config.Metrics.computed)
	}
	s := &Server{
		Config: config, echo: newEcho(config.Logger, config.Metrics),
		imports: make(chan struct{}, cmp.Or(config.ImportsAtOnce, DefaultImportsAtOnce)), closing: make(chan struct{}),
	}
	s.close = sync.OnceFunc(func() { close(s.closing) })
	if config.BehindProxy {
		s.echo.IPExtractor = echo.ExtractIPFromXFFHeader()
	} else {
		s.echo.IPExtractor = echo.ExtractIPDirect()
	}
	limitSource := newSources(cmp.Or(config.LookupsPerSource, DefaultLookupsPerSource)).limitSource
	discover, register := s.require(scopeDiscover), s.require(scopeRegister)
	v1 := s.echo.Group("/v1")
	v1.Match(readMethods, "/directory", s.getDirectory)
	v1.Match(readMethods, "/keylog", s.getKeyLog)
	v1.Match(readMethods, "/openapi.json", s.getOpenAPI)
	v1.POST("/epochs/:epoch/evaluations", s.postEvaluations, s.shed, discover)
	v1.POST("/epochs/:epoch/matches", s.postMatches, refuseCredential, limitSource)
	v1.POST("/epochs/:epoch/buckets", s.postBuckets, refuseCredential, limitSource)
	v1.Match(readMethods, "/epochs/:epoch/snapshot", s.getManifest, refuseCredential)
	v1.Match(readMethods, "/epochs/:epoch/snapshot/:shard", s.getShard, refuseCredential)
	v1.Match(readMethods, "/epochs/:epoch/changes", s.getChanges, refuseCredential)
	v1.Match(readMethods, "/quota", s.getQuota, discover)
	v1.PUT("/registrations", s.putRegistration, register)
	v1.DELETE("/registrations", s.deleteRegistration, register)
	v1.POST("/registrations/import", s.postImport, register)
	return s
}

// isClosing reports whether Run is shutting down.
func (s *Server) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// uncounted is a Usage that counts nothing.
type uncounted struct{}

func (uncounted) Add(uint32, int) {}

// unlimited is an Admission that lets everything in.
type unlimited struct{}

func (unlimited) Check(int) error { return nil }

func (unlimited) Admit(context.Context, string, int) (func(), error) { return func() {}, nil }

// readMethods are the methods of a route that is read: RFC 9110, Section 9.1, wants HEAD wherever there is GET.
var readMethods = []string{http.MethodGet, http.MethodHead}

// Handler returns the public routes.
func (s *Server) Handler() http.Handler { return s.echo }

// newEcho returns an Echo application with what all routes share.
func newEcho(logger *slog.Logger, metrics *Metrics) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard) // Echo's own logger would log addresses and paths
	e.HTTPErrorHandler = writeProblem
	e.Pre(requestID, observe(logger, metrics), recoverPanic(logger), boundTime)
	return e
}
