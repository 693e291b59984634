package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kith-project/kith/bench/meter"
	"github.com/kith-project/kith/bench/size"
)

// The directories have their turns at each thing that is measured, because a machine is slower for minutes at times.
const (
	// sizeImports is in how many parts the users are imported.
	sizeImports = 5
	// sizeStarts is how often a server is started.
	sizeStarts = 3
	// sizeReadings is how often a server is watched that reads the directory again and again, and sizeReading how long, or as long as one
	// reading takes.
	sizeReadings, sizeReading = 2, 12 * time.Second
	// sizeRounds is how often each kind of request is sent.
	sizeRounds = 8
	// sizeIdle is how long a server is watched that does nothing.
	sizeIdle = 8 * time.Second
	// sizeSettled is below which share of a core a server counts as idle, and sizeSettle how long that is waited for. sizeRead is the
	// same for one that reads the directory again and again.
	sizeSettled, sizeRead, sizeSettle = 0.06, 0.5, 3 * time.Minute
	// sizeMany is for how many users the larger of the empty directories is laid out.
	sizeMany = 10_000_000
)

// measureSizes imports users into Redis processes of their own, as many into each as the sizes say, and measures what the model
// predicts. In what it found of the first one are readings of empty directories too, so that constants can be taken from that.
func measureSizes(ctx context.Context, t *terminal, sizes []int64) ([]*size.Measured, error) {
	var full, empty []*sizeRig
	defer func() {
		for _, r := range append(full, empty...) {
			r.end()
		}
	}()
	for _, users := range sizes {
		r, err := newSizeRig(ctx, users, users)
		if err != nil {
			return nil, err
		}
		full = append(full, r)
	}
	for _, expected := range []int64{sizes[0], sizeMany} {
		r, err := newSizeRig(ctx, expected, 0)
		if err != nil {
			return nil, err
		}
		empty = append(empty, r)
	}
	all := append(full[:len(full):len(full)], empty...)
	for _, step := range []struct {
		what  string
		turns int
		rigs  []*sizeRig
		do    func(r *sizeRig, ctx context.Context, turn int) error
	}{
		{"importing", sizeImports, full, (*sizeRig).fill},
		{"building the snapshot, and starting", sizeStarts, full, (*sizeRig).follow},
		{"reading the directory", sizeReadings, all, (*sizeRig).read},
		{"sending requests", sizeRounds, full, (*sizeRig).ask},
	} {
		for turn := range step.turns {
			t.say("%s, turn %d of %d", step.what, turn+1, step.turns)
			for _, r := range step.rigs {
				if err := step.do(r, ctx, turn); err != nil {
					return nil, err
				}
			}
		}
	}
	measured := make([]*size.Measured, 0, len(full))
	for _, r := range full {
		measured = append(measured, r.result())
	}
	for _, r := range empty {
		measured[0].Empty = append(measured[0].Empty, r.took(measured[0].IdleServer, measured[0].IdleServerRedis))
	}
	return measured, nil
}

// result is what was measured.
func (r *sizeRig) result() *size.Measured {
	m := r.m
	n := float64(m.Users)
	m.ImportUser, m.ImportUserRedis = microseconds(r.imported.kith)/n, microseconds(r.imported.redis)/n
	m.BuildRecord = max(0, microseconds(r.first.kith-r.other.kith)/n)
	m.BuildRecordRedis = max(0, microseconds(r.first.redis-r.other.redis)/n)
	m.Read = r.took(m.IdleServer, m.IdleServerRedis)
	for _, ask := range r.asks {
		m.Asked = append(m.Asked, ask.Asks)
	}
	return m
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// fill imports a part of the users.
func (r *sizeRig) fill(ctx context.Context, turn int) error {
	if turn == 0 {
		if err := r.lay(ctx); err != nil {
			return err
		}
	}
	path := filepath.Join(r.dir, "users.csv")
	if err := writeSizeUsers(path, r.m.Users*int64(turn)/sizeImports, r.m.Users*int64(turn+1)/sizeImports); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	before, err := meter.ReadRedis(ctx, r.rdb)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "import", path, "--master-key-file", keyDir(filepath.Join(r.dir, "keys")).path(fileMasterKey))
	cmd.Env = append(os.Environ(), "KITH_REDIS="+r.redis.URL)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("import: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	after, err := meter.ReadRedis(ctx, r.rdb)
	if err != nil {
		return err
	}
	r.m.RedisMemory += float64(after.Memory - before.Memory)
	r.imported.kith += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	r.imported.redis += after.CPU - before.CPU
	if turn == sizeImports-1 {
		err = r.changes(ctx)
	}
	return errors.Join(err, os.Remove(path))
}

// lay has a server lay the directory out.
func (r *sizeRig) lay(ctx context.Context) error {
	if _, _, err := r.begin(ctx); err != nil {
		return err
	}
	r.stop()
	// It has published that there is nobody; the next is to publish the users, and not in six hours.
	published, err := r.rdb.Keys(ctx, "kith:{e1.snapshot}:*").Result()
	if err == nil && len(published) > 0 {
		err = r.rdb.Del(ctx, published...).Err()
	}
	return err
}

// changes measures what the changes take apart, so that the constant for them can be made of it.
func (r *sizeRig) changes(ctx context.Context) error {
	keys, err := r.rdb.Keys(ctx, "kith:{e*}:changes").Result()
	if err != nil {
		return err
	}
	for _, key := range keys {
		bytes, err := r.rdb.MemoryUsage(ctx, key, 0).Result()
		if err != nil {
			return err
		}
		entries, err := r.rdb.XLen(ctx, key).Result()
		if err != nil {
			return err
		}
		r.m.ChangeBytes, r.m.Changes = r.m.ChangeBytes+float64(bytes), r.m.Changes+float64(entries)
	}
	return nil
}

// writeSizeUsers writes the lines that are imported. The numbers are valid, and belong to nobody here.
func writeSizeUsers(path string, from, to int64) error {
	f, err := os.Create(path)
	if err != nil {
		return fileError("users", err)
	}
	w := bufio.NewWriter(f)
	for i := from; i < to; i++ {
		fmt.Fprintf(w, "+1212%07d,user-%07d\n", 2_000_000+i, i)
	}
	return errors.Join(w.Flush(), f.Close())
}

// follow measures what a server does by itself: the first one builds the snapshot and reads the directory, the others only read
// it, and the least of them counts.
func (r *sizeRig) follow(ctx context.Context, turn int) error {
	took, rss, err := r.begin(ctx)
	if err != nil {
		return err
	}
	defer r.stop()
	switch turn {
	case 0:
		r.first = took
		return r.snapshot(ctx)
	case 1:
		r.other = took
	default:
		r.other = r.other.least(took)
	}
	if turn < sizeStarts-1 {
		return nil
	}
	r.m.ServerMemory = float64(rss)
	u, err := r.during(ctx, sizeIdle)
	r.m.IdleServer, r.m.IdleServerRedis = microseconds(u.kith)/sizeIdle.Seconds(), microseconds(u.redis)/sizeIdle.Seconds()
	return err
}

// snapshot notes what was published.
func (r *sizeRig) snapshot(ctx context.Context) error {
	var manifest struct {
		Bytes  int64 `json:"bytes"`
		Shards []struct {
			ID string `json:"id"`
		} `json:"shards"`
	}
	if err := r.get(ctx, "/v1/epochs/1/snapshot", &manifest); err != nil || len(manifest.Shards) == 0 {
		return errors.Join(errors.New("no snapshot"), err)
	}
	r.m.SnapshotBytes, r.m.Shard = float64(manifest.Bytes), manifest.Shards[0].ID
	return nil
}

// read starts a server that reads the directory again and again instead of every hour, and measures what it uses for each
// time. One start tells little: it differs from another by a third.
func (r *sizeRig) read(ctx context.Context, turn int) error {
	if err := r.start(ctx, r.every()); err != nil {
		return err
	}
	defer r.stop()
	if err := r.settle(ctx, sizeRead); err != nil {
		return err
	}
	watched := max(sizeReading, r.every())
	u, err := r.during(ctx, watched)
	readings := float64(watched) / float64(r.every())
	u = usedBoth{time.Duration(float64(u.kith) / readings), time.Duration(float64(u.redis) / readings)}
	if turn == 0 {
		r.reading = u
	}
	r.reading = r.reading.least(u)
	return err
}

// every is in what time a server reads the directory that does so again and again: so that it is busy for a fourth of it.
func (r *sizeRig) every() time.Duration {
	return max(4*time.Second, time.Duration(r.m.Users)*4*time.Microsecond, 40*time.Microsecond<<r.m.Layout.BucketBits)
}

// took is what one reading takes beyond what a server uses in that time, in µs a second.
func (r *sizeRig) took(idle, idleRedis float64) size.Reading {
	in := r.every().Seconds()
	return size.Reading{
		Layout: r.m.Layout, Users: r.m.Users,
		Server: max(0, microseconds(r.reading.kith)-in*idle), Redis: max(0, microseconds(r.reading.redis)-in*idleRedis),
	}
}
