package size

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
)

// Kinds of requests that are measured.
const (
	KindEvaluate = "evaluations"
	KindMatch    = "lookups by tag"
	KindBucket   = "lookups by bucket"
	KindLabel    = "labels by bucket"
	KindShard    = "shards of the snapshot"
	KindRegister = "registrations"
)

// Asks is what requests of one kind took. Times are processor time in µs a request.
type Asks struct {
	Kind     string  `json:"kind"`
	Units    int     `json:"units"` // elements, tags or buckets of a request
	Requests float64 `json:"requests"`
	Bytes    float64 `json:"bytes"` // of an answer, mean
	Server   float64 `json:"server"`
	Redis    float64 `json:"redis"`
}

// Measured is what was measured of a directory of some users. Times are processor time in µs, memory is in bytes.
type Measured struct {
	Users            int64     `json:"users"`
	Layout           Layout    `json:"layout"`
	RedisMemory      float64   `json:"redis_memory"` // that the users take
	ChangeBytes      float64   `json:"change_bytes"` // of it for changes
	Changes          float64   `json:"changes"`
	ImportUser       float64   `json:"import_user"`
	ImportUserRedis  float64   `json:"import_user_redis"`
	ServerMemory     float64   `json:"server_memory"`
	Empty            []Reading `json:"empty,omitempty"` // directories without users: as this is laid out, and for many more
	Read             Reading   `json:"read"`
	BuildRecord      float64   `json:"build_record"`
	BuildRecordRedis float64   `json:"build_record_redis"`
	SnapshotBytes    float64   `json:"snapshot_bytes"`
	IdleServer       float64   `json:"idle_server"` // a second
	IdleServerRedis  float64   `json:"idle_server_redis"`
	Asked            []Asks    `json:"asked"`
	Shard            string    `json:"-"` // the id of one
}

// Constants returns the constants of the machine on which this was measured: those that it tells in the place of k's.
func (m *Measured) Constants(k Constants) Constants {
	c := make(Constants, len(k))
	for name, value := range k {
		c[name] = value
	}
	users := float64(m.Users)
	c[ImportUser], c[ImportUserRedis] = m.ImportUser, m.ImportUserRedis
	readingConstants(c, m.Empty, m.Read)
	c[BuildRecord], c[BuildRecordRedis] = m.BuildRecord, m.BuildRecordRedis
	c[IdleServer], c[IdleServerRedis] = m.IdleServer, m.IdleServerRedis
	c[SnapshotUser] = m.SnapshotBytes / users
	c[ChangeEntry] = m.ChangeBytes / max(m.Changes, 1)
	m.line(c, KindEvaluate, EvaluateRequest, EvaluateElement, EvaluateRequestRedis, "", 1)
	m.line(c, KindMatch, MatchRequest, MatchTag, MatchRequestRedis, MatchTagRedis, 1)
	m.line(c, KindBucket, BucketRequest, BucketKilobyte, "", "", float64(m.Layout.Slots*m.Layout.TagBytes)/1e3)
	mean := users / math.Exp2(float64(m.Layout.BucketBits))
	m.line(c, KindLabel, LabelRequest, LabelRecord, "", "", mean)
	m.line(c, KindLabel, "", "", LabelRequestRedis, LabelRecordRedis, mean+bucketWork)
	for _, a := range m.Asked {
		switch a.Kind {
		case KindShard:
			c[ShardMegabyte] = max(0, a.Server-c[BucketRequest]) / (a.Bytes / 1e6)
		case KindRegister:
			c[RegisterRequest], c[RegisterRequestRedis] = a.Server, a.Redis
		}
	}
	return c
}

// line puts the straight line through the requests of a kind into the constants: what a request takes, and what each of its units does,
// of which each has so many of what the constant counts. Where the name for units is missing, the smallest request is taken, of
// which there were the most; where that for requests is, the largest.
func (m *Measured) line(c Constants, kind, request, unit, requestRedis, unitRedis string, each float64) {
	var units, server, store []float64
	for _, a := range m.Asked {
		if a.Kind == kind {
			units, server, store = append(units, float64(a.Units)), append(server, a.Server), append(store, a.Redis)
		}
	}
	if len(units) < 2 {
		return
	}
	put := func(request, unit string, took []float64) {
		switch last := len(took) - 1; {
		case request != "" && unit != "":
			a, b := fit(units, took)
			c[request], c[unit] = a, b/each
		case unit != "":
			c[unit] = took[last] / units[last] / each
		case request != "":
			c[request] = took[0]
		}
	}
	put(request, unit, server)
	put(requestRedis, unitRedis, store)
}

// fit returns the line a + bx with the least sum of squares of relative errors, neither of them below 0. What is measured is not quite on a
// line: the larger a request, the less its units take.
func fit(x, y []float64) (a, b float64) {
	var w, wx, wy, wxx, wxy float64
	for i := range x {
		weight := 1 / max(y[i]*y[i], 1) // below a µs nothing is told apart
		w, wx, wy = w+weight, wx+weight*x[i], wy+weight*y[i]
		wxx, wxy = wxx+weight*x[i]*x[i], wxy+weight*x[i]*y[i]
	}
	b = (w*wxy - wx*wy) / (w*wxx - wx*wx)
	switch a = (wy - b*wx) / w; {
	case b < 0:
		return wy / w, 0
	case a < 0:
		return 0, wxy / wxx
	}
	return a, b
}

// bucketWork is what a bucket costs Redis besides its registrations, in registrations: a command, and a key to be found. Buckets of 38
// users took 7.3 µs, and of 61 users 9.2 µs, each by the slope of 8 and 64 of them.
const bucketWork = 50

// Row is a figure that was predicted and measured.
type Row struct {
	What      string  `json:"what"`
	Unit      string  `json:"unit"`
	Predicted float64 `json:"predicted"`
	Measured  float64 `json:"measured"`
}

// Error is by how much the prediction is off, as a share of what was measured.
func (r Row) Error() float64 {
	if r.Measured == 0 {
		return math.Abs(r.Predicted)
	}
	return math.Abs(r.Predicted-r.Measured) / r.Measured
}

// leastCPU is below how much processor time of a request, in µs, it is not compared: the clocks of the system count by the
// millisecond and more.
const leastCPU = 5

// Compare returns what the model says of the same as was measured.
func (m *Measured) Compare(k Constants) []Row {
	users := float64(m.Users)
	reading, readingRedis := readingTakes(m.Layout, users, k)
	rows := []Row{
		{"Redis memory", "bytes a user", DirectoryBytes(m.Layout, users, 0, k) / users, m.RedisMemory / users},
		{"memory of a server", "bytes a user", ServerBytes(m.Layout, users, k) / users, m.ServerMemory / users},
		{"snapshot", "bytes a user", k[SnapshotUser], m.SnapshotBytes / users},
		{"import, kith", "µs a user", k[ImportUser], m.ImportUser},
		{"import, Redis", "µs a user", k[ImportUserRedis], m.ImportUserRedis},
		{"reading the directory, kith", "µs a user", reading / users, m.Read.Server / users},
		{"reading the directory, Redis", "µs a user", readingRedis / users, m.Read.Redis / users},
	}
	mean := users / math.Exp2(float64(m.Layout.BucketBits))
	debited := false
	for _, a := range m.Asked {
		units, server, store := float64(a.Units), 0.0, 0.0
		what := fmt.Sprintf("%s, %d", a.Kind, a.Units)
		switch a.Kind {
		case KindEvaluate:
			server = k[EvaluateRequest] + units*k[EvaluateElement]
			if debited {
				a.Redis = 0 // too few requests a second to tell their debits from what Redis does besides
			} else {
				store, debited = k[EvaluateRequestRedis], true
			}
		case KindMatch:
			server, store = k[MatchRequest]+units*k[MatchTag], k[MatchRequestRedis]+units*k[MatchTagRedis]
		case KindBucket:
			server = k[BucketRequest] + units*float64(m.Layout.Slots*m.Layout.TagBytes)/1e3*k[BucketKilobyte]
		case KindLabel:
			server, store = k[LabelRequest]+units*mean*k[LabelRecord], k[LabelRequestRedis]+units*(mean+bucketWork)*k[LabelRecordRedis]
		case KindShard:
			what, server = a.Kind, k[BucketRequest]+a.Bytes/1e6*k[ShardMegabyte]
		case KindRegister:
			what, server, store = a.Kind, k[RegisterRequest], k[RegisterRequestRedis]
		}
		rows = append(rows, Row{what + ", kith", "µs a request", server, a.Server})
		if store > leastCPU || a.Redis > leastCPU {
			rows = append(rows, Row{what + ", Redis", "µs a request", store, a.Redis})
		}
	}
	return rows
}

// MostError is how far the model may be off.
const MostError = 0.2

// ReportRows returns a comparison for people.
func ReportRows(rows []Row) string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tPREDICTED\tMEASURED\tERROR\t")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%.1f %%\t%s\n", r.What, trim(r.Predicted), trim(r.Measured), 100*r.Error(), r.Unit)
	}
	_ = table.Flush() // a strings.Builder takes everything
	return b.String()
}
