package admission_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kith-project/kith/server/admission"
)

// BenchmarkAdmit is the time that admission adds to a request: with a free worker, refused, and with a crowd of which nearly all
// wait for one of two workers, where a switch between goroutines is part of it.
func BenchmarkAdmit(b *testing.B) {
	b.Run("free", func(b *testing.B) {
		q := newQueue(b, admission.Config{Workers: 2})
		ctx := context.Background()
		b.ReportAllocs()
		for b.Loop() {
			release, err := q.Admit(ctx, "account", 100)
			if err != nil {
				b.Fatal(err)
			}
			release()
		}
	})
	b.Run("refused", func(b *testing.B) {
		q := newQueue(b, admission.Config{Workers: 1, QueueElements: 100})
		ctx, cancel := context.WithCancel(context.Background())
		defer admit(b, q, "first", 1)()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_, _ = q.Admit(ctx, "second", 100)
		}()
		for q.Stats().Waiting == 0 {
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := q.Admit(ctx, "account", 100); err == nil {
				b.Fatal("admitted")
			}
		}
		cancel()
		<-gone
	})
	for _, accounts := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("crowd of %d accounts", accounts), func(b *testing.B) {
			q := newQueue(b, admission.Config{Workers: 2, QueueElements: 1 << 30, Rate: 1e9, MaxWait: time.Hour})
			names := make([]string, accounts)
			for i := range names {
				names[i] = fmt.Sprint(i)
			}
			ctx := context.Background()
			var next atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(500)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := int(next.Add(1))
					release, err := q.Admit(ctx, names[i%accounts], 1+i%1024)
					if err != nil {
						b.Error(err)
						return
					}
					release()
				}
			})
		})
	}
}
