package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/kith-project/kith/server/bucket"
	"github.com/kith-project/kith/server/snapshot"
)

// Metrics are what the admin listener shows at /metrics. Their labels are routes, methods and statuses: nothing that a
// client chooses.
type Metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	elements  *prometheus.CounterVec
	tags      prometheus.Counter
	imported  *prometheus.CounterVec
	buckets   *prometheus.CounterVec
	memory    *prometheus.CounterVec
	corrupt   prometheus.Counter
	shards    *prometheus.GaugeVec
	warm      *prometheus.GaugeVec
	age       *prometheus.GaugeVec
	keyUsed   *prometheus.GaugeVec
	keyLimit  *prometheus.GaugeVec
	engine    *prometheus.GaugeVec
	limited   limitMetrics
}

// NewMetrics returns metrics in a registry of their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kith_http_requests_total", Help: "Requests answered.",
		}, []string{"route", "method", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kith_http_request_seconds", Help: "Time from the headers of a request to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"route"}),
		elements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kith_evaluated_elements_total", Help: "Elements evaluated, by whether they were charged or a retry.",
		}, []string{"charged"}),
		tags: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kith_looked_up_tags_total", Help: "Tags looked up.",
		}),
		imported: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kith_imported_lines_total", Help: "Lines of imports answered: applied, later if a later write is stored, or refused.",
		}, []string{"result"}),
		buckets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kith_looked_up_buckets_total", Help: "Buckets looked up, by whether their labels were asked for.",
		}, []string{"labels"}),
		memory: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kith_bucket_answers_total", Help: "Buckets answered, by where they came from: memory or store.",
		}, []string{"from"}),
		shards: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "kith_snapshot_build_shards", Help: "Shards of the snapshot build that this server made last or makes: all, and finished.",
		}, []string{"which"}),
		warm: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "kith_bucket_memory_partitions", Help: "Partitions of an epoch that are in memory, and all.",
		}, []string{"epoch", "which"}),
		age: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "kith_bucket_memory_age_seconds", Help: "How long ago the store last confirmed the partition in memory that is furthest behind.",
		}, []string{"epoch"}),
		keyUsed: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "kith_key_evaluations", Help: "Elements evaluated under the key of an epoch, by all servers.",
		}, []string{"epoch"}),
		keyLimit: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "kith_key_ceiling", Help: "How many may be before the key is to be rotated.",
		}, []string{"epoch"}),
		engine: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "kith_engine_info", Help: "1, with the engine that computes elements: ifma, or portable.",
		}, []string{"engine"}),
		corrupt: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kith_corrupt_records_total", Help: "Stored records found malformed, counted each time they were met.",
		}),
	}
	m.registry.MustRegister(m.requests, m.durations, m.elements, m.tags, m.imported, m.buckets, m.memory, m.corrupt, m.shards, m.warm, m.age,
		m.keyUsed, m.keyLimit, m.engine,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.limited = newLimitMetrics(m.registry)
	return m
}

// Engine tells which engine computes elements.
func (m *Metrics) Engine(name string) { m.engine.WithLabelValues(name).Set(1) }

// Corrupt counts stored records that were found malformed, for directory.Config.OnCorrupt.
func (m *Metrics) Corrupt(records int) { m.corrupt.Add(float64(records)) }

func (m *Metrics) request(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(route).Observe(took.Seconds())
}

func (m *Metrics) evaluated(elements int, charged bool) {
	m.elements.WithLabelValues(strconv.FormatBool(charged)).Add(float64(elements))
}

func (m *Metrics) lookedUp(tags int) { m.tags.Add(float64(tags)) }

// importedLines counts the results of an import.
func (m *Metrics) importedLines(results []importResult) {
	counts := make(map[string]int, 3)
	for _, r := range results {
		counts[r.outcome()]++
	}
	for outcome, n := range counts {
		m.imported.WithLabelValues(outcome).Add(float64(n))
	}
}

func (m *Metrics) lookedUpBuckets(prefixes int, labels bool) {
	m.buckets.WithLabelValues(strconv.FormatBool(labels)).Add(float64(prefixes))
}

// BucketsAnswered counts buckets by where their answers came from, for bucket.Config.OnLookup.
func (m *Metrics) BucketsAnswered(memory, store int) {
	m.memory.WithLabelValues("memory").Add(float64(memory))
	m.memory.WithLabelValues("store").Add(float64(store))
}

// SnapshotBuild tells how far a snapshot build has come, for snapshot.Config.OnProgress.
func (m *Metrics) SnapshotBuild(p snapshot.Progress) {
	m.shards.WithLabelValues("all").Set(float64(p.Total))
	m.shards.WithLabelValues("finished").Set(float64(p.Shards))
}

// BucketMemory tells how far memory has come in an epoch, for lookup.Config.OnStatus.
func (m *Metrics) BucketMemory(epoch uint32, s bucket.Status) {
	id := strconv.FormatUint(uint64(epoch), 10)
	m.warm.WithLabelValues(id, "all").Set(float64(s.Partitions))
	m.warm.WithLabelValues(id, "warm").Set(float64(s.Warm))
	m.age.WithLabelValues(id).Set(s.Age.Seconds())
}

// KeyUsage tells how much the key of an epoch has been used, and what its ceiling is.
func (m *Metrics) KeyUsage(epoch uint32, evaluations, ceiling int64) {
	id := strconv.FormatUint(uint64(epoch), 10)
	m.keyUsed.WithLabelValues(id).Set(float64(evaluations))
	m.keyLimit.WithLabelValues(id).Set(float64(ceiling))
}

// ForgetKey takes back what KeyUsage has told of an epoch, whose key is destroyed.
func (m *Metrics) ForgetKey(epoch uint32) {
	id := strconv.FormatUint(uint64(epoch), 10)
	m.keyUsed.DeleteLabelValues(id)
	m.keyLimit.DeleteLabelValues(id)
}
