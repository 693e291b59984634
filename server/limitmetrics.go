package server

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kith-project/kith/server/admission"
	"github.com/kith-project/kith/server/quota"
)

// limitMetrics are those of what is refused, and of the queue before evaluations.
type limitMetrics struct {
	registry *prometheus.Registry
	quota    *prometheus.CounterVec
	refunds  prometheus.Counter
	waits    prometheus.Histogram
	overload prometheus.Counter
	young    prometheus.Gauge
	together prometheus.Histogram
}

// newLimitMetrics enters the metrics in a registry.
func newLimitMetrics(registry *prometheus.Registry) limitMetrics {
	m := limitMetrics{
		registry: registry,
		quota: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kith_quota_refusals_total", Help: "Evaluations refused by the limits of accounts, by which: exceeded, young, too-large, blocked, key-reused, replays, record or unavailable.",
		}, []string{"kind"}),
		refunds: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kith_quota_refunded_elements_total", Help: "Elements whose charge was undone after a fault of the server.",
		}),
		waits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kith_admission_wait_seconds", Help: "How long evaluations waited before they began.",
			Buckets: append([]float64{0}, prometheus.ExponentialBuckets(0.001, 2, 12)...),
		}),
		overload: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kith_admission_refusals_total", Help: "Evaluations refused for overload.",
		}),
		young: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kith_quota_young_remaining", Help: "Units of the budget of young accounts that no server has taken; 0 if there is no budget.",
		}),
		together: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kith_evaluations_together", Help: "How many evaluations were computed together, since small ones share lanes.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 7),
		}),
	}
	registry.MustRegister(m.quota, m.refunds, m.waits, m.overload, m.young, m.together)
	return m
}

// Waited counts an evaluation that begins, for admission.Config.Waited.
func (m *Metrics) Waited(d time.Duration) { m.limited.waits.Observe(d.Seconds()) }

// Overloaded counts an evaluation that was refused, for admission.Config.Refused.
func (m *Metrics) Overloaded() { m.limited.overload.Inc() }

// computed counts evaluations that were computed together.
func (m *Metrics) computed(requests, _ int) { m.limited.together.Observe(float64(requests)) }

// YoungRemaining tells how much of the budget of young accounts is left.
func (m *Metrics) YoungRemaining(units int) { m.limited.young.Set(float64(units)) }

// WatchQueue shows what a queue of evaluations has whenever metrics are read. It must be called once.
func (m *Metrics) WatchQueue(stats func() admission.Stats) {
	for _, gauge := range []struct {
		name, help string
		value      func(admission.Stats) float64
	}{
		{"kith_admission_under_way", "Evaluations under way.", func(s admission.Stats) float64 { return float64(s.UnderWay) }},
		{"kith_admission_waiting", "Evaluations that wait.", func(s admission.Stats) float64 { return float64(s.Waiting) }},
		{"kith_admission_queued_elements", "Elements of the evaluations that wait.", func(s admission.Stats) float64 { return float64(s.QueuedElements) }},
		{"kith_admission_accounts", "Accounts whose evaluations wait.", func(s admission.Stats) float64 { return float64(s.Accounts) }},
		{"kith_admission_elements_per_second", "Elements evaluated a second, as measured last under load.", func(s admission.Stats) float64 { return s.Rate }},
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: gauge.name, Help: gauge.help},
			func() float64 { return gauge.value(stats()) }))
	}
}

// quotaRefused counts an error of a Debit.
func (m *Metrics) quotaRefused(err error) {
	for _, refusal := range []struct {
		err  error
		kind string
	}{
		{quota.ErrTooLarge, "too-large"}, {quota.ErrYoung, "young"}, {quota.ErrBlocked, "blocked"}, {quota.ErrKeyReused, "key-reused"},
		{quota.ErrReplays, "replays"}, {quota.ErrRecord, "record"},
	} {
		if errors.Is(err, refusal.err) {
			m.limited.quota.WithLabelValues(refusal.kind).Inc()
			return
		}
	}
	kind := "unavailable"
	if _, ok := errors.AsType[*quota.ExceededError](err); ok {
		kind = "exceeded"
	}
	m.limited.quota.WithLabelValues(kind).Inc()
}

func (m *Metrics) refunded(elements int) { m.limited.refunds.Add(float64(elements)) }
