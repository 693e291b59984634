package directory_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/ephemeral"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

func TestCheckServer(t *testing.T) {
	for _, c := range []struct {
		name     string
		config   map[string]string
		noConfig bool // CONFIG is not permitted
		want     error
		warnings []string // how each starts
	}{
		{name: "shipped"},
		{name: "evicts", config: map[string]string{"maxmemory-policy": "allkeys-lru"}, want: directory.ErrEviction},
		{name: "evicts what expires", config: map[string]string{"maxmemory-policy": "volatile-ttl"}, want: directory.ErrEviction},
		{
			name: "fsync each second", config: map[string]string{"appendfsync": "everysec"},
			warnings: []string{"appendfsync is everysec: "},
		},
		{
			name: "no fsync", config: map[string]string{"appendfsync": "no"},
			warnings: []string{"appendfsync is no: "},
		},
		{
			name: "no append-only file", config: map[string]string{"appendonly": "no"},
			warnings: []string{"appendonly is off: "},
		},
		{
			name: "Redis's defaults", config: map[string]string{"appendonly": "no", "hash-max-listpack-value": "64"},
			warnings: []string{"appendonly is off: ", "hash-max-listpack-value is below 128: "},
		},
		{
			name: "no CONFIG", noConfig: true,
			warnings: []string{"appendfsync could not be read: ", "hash-max-listpack-value could not be read: "},
		},
		{
			name: "evicts, no CONFIG", noConfig: true, config: map[string]string{"maxmemory-policy": "allkeys-random"},
			want: directory.ErrEviction,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			var options []redistest.Option
			for name, value := range c.config {
				options = append(options, redistest.Config(name, value))
			}
			rdb := redistest.Start(t, options...).Client()
			if c.noConfig {
				if err := rdb.Do(ctx, "ACL", "SETUSER", "default", "-config").Err(); err != nil {
					t.Fatal(err)
				}
			}
			report, err := directory.CheckServer(ctx, rdb)
			wantError(t, "CheckServer", err, c.want)
			wantWarnings(t, report, c.warnings)
			if report.Masters != 1 {
				t.Errorf("got %d masters, want 1", report.Masters)
			}
		})
	}
}

func wantWarnings(t *testing.T, report directory.Report, prefixes []string) {
	t.Helper()
	if !slices.EqualFunc(report.Warnings, prefixes, strings.HasPrefix) {
		t.Errorf("got warnings %q, want ones that start with %q", report.Warnings, prefixes)
	}
}

func TestCheckServerUnreachable(t *testing.T) {
	server := redistest.Start(t)
	rdb := connect(t, server.Options())
	server.Kill()
	_, err := directory.CheckServer(context.Background(), rdb)
	wantError(t, "CheckServer", err, directory.ErrUnavailable)
}

// TestCheckServerRefusesEmbeddedStore holds that a server which does not say that it keeps everything is refused: the
// embedded store is used by skipping the check on purpose, never by passing it.
func TestCheckServerRefusesEmbeddedStore(t *testing.T) {
	store, err := ephemeral.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	client := redis.NewClient(store.Options())
	t.Cleanup(func() { client.Close() })
	_, err = directory.CheckServer(context.Background(), client)
	wantError(t, "CheckServer", err, directory.ErrEviction)
	wantError(t, "CheckServer", err, directory.ErrVersion)
}

func TestCheckServerRefusesRing(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}})
	t.Cleanup(func() { ring.Close() })
	_, err := directory.CheckServer(context.Background(), ring)
	wantError(t, "CheckServer", err, directory.ErrUnavailable)
}
