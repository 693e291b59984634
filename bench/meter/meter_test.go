package meter_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/bench/meter"
	"github.com/kith-project/kith/server/redistest"
)

func TestParseServer(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       meter.Server
		err        error
	}{
		{"both", "# HELP x y\nprocess_cpu_seconds_total 1.5\nprocess_resident_memory_bytes 4.2e+07\nother{a=\"b\"} 3\n", meter.Server{CPU: 1500 * time.Millisecond, RSS: 42_000_000}, nil},
		{"no memory", "process_cpu_seconds_total 0\n", meter.Server{}, nil},
		{"nothing", "", meter.Server{}, meter.ErrMetrics},
		{"another name", "process_cpu_seconds_total_x 3\n", meter.Server{}, meter.ErrMetrics},
		{"no number", "process_cpu_seconds_total many\n", meter.Server{}, meter.ErrMetrics},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := meter.ParseServer(strings.NewReader(c.text))
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %+v, %v, want %+v, %v", got, err, c.want, c.err)
			}
		})
	}
}

func TestReadServer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("process_cpu_seconds_total 2\n"))
	}))
	defer s.Close()
	if got, err := meter.ReadServer(context.Background(), s.Client(), s.URL); err != nil || got.CPU != 2*time.Second {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := meter.ReadServer(context.Background(), s.Client(), s.URL+"/elsewhere"); err == nil {
		t.Error("a page that is not there was read")
	}
}

func TestReadRedis(t *testing.T) {
	rdb := redistest.Start(t).Client()
	before, err := meter.ReadRedis(context.Background(), rdb)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := rdb.Set(context.Background(), "key", strings.Repeat("x", 1<<16), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	after, err := meter.ReadRedis(context.Background(), rdb)
	if err != nil {
		t.Fatal(err)
	}
	if after.Masters != 1 || after.CPU < before.CPU || after.Memory < before.Memory+1<<16 || after.RSS == 0 || after.Commands < before.Commands+100 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestParseInfo(t *testing.T) {
	got, err := meter.ParseInfo("# CPU\r\nused_cpu_sys:1.25\r\nused_cpu_user:0.5\r\nused_memory:1000\r\n")
	if want := (meter.Redis{CPU: 1750 * time.Millisecond, Memory: 1000, Masters: 1}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, text := range []string{"", "used_memory:1\r\n", "used_cpu_sys:often\r\n"} {
		if _, err := meter.ParseInfo(text); !errors.Is(err, meter.ErrInfo) {
			t.Errorf("%q: got %v, want ErrInfo", text, err)
		}
	}
}

// TestOwnGrows ends when the processor time has grown, which it does as long as this goes on.
func TestOwnGrows(t *testing.T) {
	before, turns := meter.Own(), 0
	for meter.Own() == before {
		turns++
	}
	if after := meter.Own(); after <= before {
		t.Errorf("after %d turns: %v before, %v after", turns, before, after)
	}
}

// TestProcess reads the clock of this process as another would, which stands between two readings of its own.
func TestProcess(t *testing.T) {
	before := meter.Own()
	got, err := meter.Process(os.Getpid())
	if runtime.GOOS != "linux" {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got %v, want ErrUnsupported", err)
		}
		return
	}
	after := meter.Own()
	const scaled = 20 * time.Millisecond // user and system time are each adjusted to ticks that were counted
	if err != nil || got < before-scaled || got > after+scaled {
		t.Errorf("got %v, %v, want from %v to %v", got, err, before, after)
	}
	if _, err := meter.Process(1 << 28); err == nil {
		t.Error("no process: got no error")
	}
}

func TestThisMachine(t *testing.T) {
	if m := meter.ThisMachine(); m.CPU == "" || m.Cores < 1 || m.OS == "" || m.Go == "" {
		t.Errorf("got %+v", m)
	}
}
