package quota_test

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
)

// BenchmarkDebit charges requests of 1,024 elements with an Idempotency-Key each to 10,000 accounts, of one caller at a time
// and of 64, by the policies of durability. µs/script is how long the script keeps Redis busy.
func BenchmarkDebit(b *testing.B) {
	for _, policy := range []string{"always", "everysec", "no"} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", policy, callers), func(b *testing.B) {
				benchmarkDebit(b, redistest.Start(b, redistest.AppendFsync(policy)).Client(), callers, quota.Limits{})
			})
		}
	}
}

// BenchmarkDebitYoung is BenchmarkDebit where all accounts are young and have a budget.
func BenchmarkDebitYoung(b *testing.B) {
	limits := quota.Limits{YoungPerDay: quota.MaxYoungPerDay}
	benchmarkDebit(b, redistest.Start(b, redistest.AppendFsync("everysec")).Client(), 64, limits)
}

func benchmarkDebit(b *testing.B, rdb *redis.Client, callers int, limits quota.Limits) {
	limits.Burst, limits.RefillPerDay = quota.MaxBurst, quota.MaxBurst
	ledger := newLedger(b, rdb, limits)
	content := make([]byte, 32*1024)
	var calls atomic.Int64
	charge := func() {
		n := calls.Add(1)
		r := quota.Request{
			Account: fmt.Sprint("account ", n%10_000), Epoch: 2, Predecessor: 1, Elements: 1024, Key: fmt.Sprint("key ", n),
			Content: content, Secret: accountKey,
		}
		if _, err := ledger.Debit(context.Background(), r); err != nil {
			b.Error(err)
		}
	}
	charge()
	must(b, rdb.ConfigResetStat(context.Background()).Err())
	before := processorTime(b, rdb)
	b.ResetTimer()
	if callers == 1 {
		for b.Loop() {
			charge()
		}
	} else {
		b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				charge()
			}
		})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "debits/s")
	b.ReportMetric((processorTime(b, rdb)-before)*1e6/float64(b.N), "cpu-µs/debit")
	b.ReportMetric(info(b, rdb, "commandstats", `cmdstat_evalsha:.*usec_per_call=([0-9.]+)`), "µs/script")
}

// processorTime returns for how long Redis has computed, in s.
func processorTime(b *testing.B, rdb *redis.Client) float64 {
	b.Helper()
	return info(b, rdb, "cpu", `used_cpu_sys:([0-9.]+)`) + info(b, rdb, "cpu", `used_cpu_user:([0-9.]+)`)
}

// info returns the number that the expression finds in a section of INFO.
func info(b *testing.B, rdb *redis.Client, section, expression string) float64 {
	b.Helper()
	m := regexp.MustCompile(expression).FindStringSubmatch(rdb.Info(context.Background(), section).Val())
	if m == nil {
		b.Fatalf("INFO %s has no %s", section, expression)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	must(b, err)
	return n
}
