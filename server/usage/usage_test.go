package usage_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/redistest"
	"github.com/kith-project/kith/server/usage"
)

// impatient returns a client that does not try again when the store is away.
func impatient(t testing.TB, s *redistest.Server) *redis.Client {
	t.Helper()
	o := s.Options()
	o.MaxRetries, o.DialerRetries = -1, 1
	rdb := redis.NewClient(o)
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func flush(t testing.TB, c *usage.Counter) {
	t.Helper()
	if err := c.Flush(context.Background()); err != nil {
		t.Fatalf("Flush: %v", err)
	}
}

func TestTotalsAreOfAllServers(t *testing.T) {
	rdb := redistest.Start(t, redistest.AppendFsync("no")).Client()
	var told map[uint32]int64
	a := usage.New(usage.Config{Redis: rdb, OnTotals: func(totals map[uint32]int64) { told = maps.Clone(totals) }})
	b := usage.New(usage.Config{Redis: rdb})
	a.Add(1, 10)
	a.Add(2, 1)
	b.Add(1, 1024)
	if got := a.Total(1); got != 10 {
		t.Errorf("before any was added: got %d, want the 10 of this server", got)
	}
	flush(t, b)
	flush(t, a)
	if want := map[uint32]int64{1: 1034, 2: 1}; !maps.Equal(told, want) {
		t.Errorf("OnTotals: got %v, want %v", told, want)
	}
	a.Add(1, 6)
	flush(t, b)
	for _, test := range []struct {
		name string
		got  int64
		want int64
	}{{"a, epoch 1", a.Total(1), 1040}, {"b, epoch 1", b.Total(1), 1034}, {"b, epoch 2", b.Total(2), 1}, {"b, epoch 3", b.Total(3), 0}} {
		if test.got != test.want {
			t.Errorf("%s: got %d, want %d", test.name, test.got, test.want)
		}
	}
}

// TestConcurrentCountsAreAllAdded counts while others add: none is lost and none is added twice.
func TestConcurrentCountsAreAllAdded(t *testing.T) {
	rdb := redistest.Start(t, redistest.AppendFsync("no")).Client()
	c := usage.New(usage.Config{Redis: rdb})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				c.Add(1, 3)
				if err := c.Flush(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n, err := rdb.HGet(context.Background(), "kith:usage", "e1").Int(); err != nil || n != 8*50*3 {
		t.Errorf("the store has %d, %v, want %d", n, err, 8*50*3)
	}
}

func TestStoreAwayLosesNoCount(t *testing.T) {
	s := redistest.Start(t)
	c := usage.New(usage.Config{Redis: impatient(t, s)})
	c.Add(1, 5)
	flush(t, c)
	s.Kill()
	c.Add(1, 7)
	for range 2 {
		if err := c.Flush(context.Background()); err != usage.ErrUnavailable {
			t.Errorf("Flush: got %v, want ErrUnavailable", err)
		}
		if got := c.Total(1); got != 12 {
			t.Errorf("while the store is away: got %d, want 12", got)
		}
	}
	s.Restart()
	flush(t, c)
	if n, err := s.Client().HGet(context.Background(), "kith:usage", "e1").Int(); err != nil || n != 12 {
		t.Errorf("the store has %d, %v, want 12", n, err)
	}
}

// TestRunAddsAtItsEnd holds Run to adding the last count when the server is told to stop.
func TestRunAddsAtItsEnd(t *testing.T) {
	rdb := redistest.Start(t, redistest.AppendFsync("no")).Client()
	ran := make(chan struct{}, 16)
	c := usage.New(usage.Config{Redis: rdb, Interval: time.Hour, OnTotals: func(map[uint32]int64) { ran <- struct{}{} }})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	<-ran
	c.Add(1, 9)
	cancel()
	running.Wait()
	if n, err := rdb.HGet(context.Background(), "kith:usage", "e1").Int(); err != nil || n != 9 {
		t.Errorf("the store has %d, %v, want 9", n, err)
	}
}

func TestAlteredTotalsArePassedOver(t *testing.T) {
	ctx := context.Background()
	rdb := redistest.Start(t, redistest.AppendFsync("no")).Client()
	fields := map[string]string{"e1": "many", "e02": "5", "x": "1", "e4294967296": "1", "e3": "7", "e-1": "2"}
	if err := rdb.HSet(ctx, "kith:usage", fields).Err(); err != nil {
		t.Fatal(err)
	}
	var told map[uint32]int64
	corrupt := 0
	c := usage.New(usage.Config{
		Redis: rdb, OnTotals: func(totals map[uint32]int64) { told = maps.Clone(totals) }, OnCorrupt: func(n int) { corrupt += n },
	})
	flush(t, c)
	if want := map[uint32]int64{3: 7}; !maps.Equal(told, want) || corrupt != 5 {
		t.Errorf("got %v and %d that are none, want %v and 5", told, corrupt, want)
	}
	// One that nothing can be added to is an error, stays counted here, and does not hide the others.
	c.Add(1, 9)
	c.Add(3, 1)
	if err := c.Flush(ctx); !errors.Is(err, usage.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if want := map[uint32]int64{3: 8}; !maps.Equal(told, want) || c.Total(1) != 9 || c.Total(3) != 8 {
		t.Errorf("got %v, %d and %d, want %v, 9 and 8", told, c.Total(1), c.Total(3), want)
	}
}

func TestLevelOf(t *testing.T) {
	tests := []struct {
		total, ceiling int64
		want           usage.Level
	}{
		{0, 100, usage.Below}, {74, 100, usage.Below}, {75, 100, usage.Near}, {99, 100, usage.Near}, {100, 100, usage.Above},
		{101, 100, usage.Above}, {0, 1, usage.Below}, {1, 1, usage.Above}, {2, 3, usage.Below}, {3, 3, usage.Above},
		{1<<40 - 1<<38 - 1, usage.DefaultCeiling, usage.Below}, {1<<40 - 1<<38, usage.DefaultCeiling, usage.Near},
		{1<<63 - 1, 1<<63 - 1, usage.Above}, {1 << 62, 1<<63 - 1, usage.Below}, // without overflow
	}
	for _, test := range tests {
		if got := usage.LevelOf(test.total, test.ceiling); got != test.want {
			t.Errorf("%d of %d: got level %d, want %d", test.total, test.ceiling, got, test.want)
		}
	}
}

func TestWarningsComeOnceAnHour(t *testing.T) {
	var w usage.Warner
	start := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	steps := []struct {
		after time.Duration
		epoch uint32
		level usage.Level
		want  bool
	}{
		{0, 1, usage.Below, false},
		{time.Second, 1, usage.Near, true},
		{2 * time.Second, 1, usage.Near, false},
		{3 * time.Second, 2, usage.Near, true}, // another epoch
		{59 * time.Minute, 1, usage.Near, false},
		{61 * time.Minute, 1, usage.Near, true},
		{62 * time.Minute, 1, usage.Above, true}, // it has risen
		{63 * time.Minute, 1, usage.Above, false},
		{64 * time.Minute, 1, usage.Near, false},
		{123 * time.Minute, 1, usage.Above, true},
	}
	for i, step := range steps {
		if got := w.Due(step.epoch, step.level, start.Add(step.after)); got != step.want {
			t.Errorf("step %d: got %t, want %t", i, got, step.want)
		}
	}
}
