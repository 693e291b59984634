package size

import (
	"errors"
	"math"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto/filter"
)

var (
	// ErrServers means that a server with so few cores would do nothing but follow the directory.
	ErrServers = errors.New("size: a server of so few cores can not even follow the directory")
	// ErrMasters means that more masters would be needed than there are partitions.
	ErrMasters = errors.New("size: more masters than the 256 partitions can be shared by")
)

const (
	secondsADay  = 86_400
	daysAYear    = 365
	hoursAMonth  = daysAYear * 24 / 12.0
	buildsADay   = 4     // of the snapshot: every 6 hours
	rescanEvery  = 3_600 // seconds in which a server reads the whole directory anew
	elementSize  = 32
	proofSize    = 64
	mostElements = 1024 // of a request for evaluations
	mostPrefixes = 1000 // of a lookup by bucket
	mostLabels   = 100  // buckets of a request for labels
	mostTags     = 1000 // of a lookup by tag
	// headersIn and headersOut are bytes of headers and TLS records of a request and its answer: an assumption.
	headersIn, headersOut = 500, 300
	leastServers          = 2
	refreshEvery          = 30 // days after which a client fetches a label anew
)

// Result is what a deployment needs. Rates are of a second, memory is in bytes, money in USD.
type Result struct {
	Layout           Layout  `json:"layout"`
	UsersABucket     float64 `json:"users_a_bucket"`
	EvaluationsMean  float64 `json:"evaluations_mean"` // over a year, rotations included
	EvaluationsPeak  float64 `json:"evaluations_peak"` // at the busiest moment without a rotation
	EvaluationsMove  float64 `json:"evaluations_move"` // at the busiest moment while devices move to a new key
	Parts            []Part  `json:"parts"`            // of the processor time at the design peak
	ServerLoad       float64 `json:"server_load"`      // cores of all servers busy at the design peak
	Servers          int     `json:"servers"`
	AllCores         int     `json:"all_cores"` // of all servers together
	ServerMemory     float64 `json:"server_memory"`
	RedisLoad        float64 `json:"redis_load"` // cores of all masters busy at the design peak
	RedisMemory      float64 `json:"redis_memory"`
	RedisMemoryMost  float64 `json:"redis_memory_most"` // with a rotation under way
	MastersByCPU     int     `json:"masters_by_cpu"`
	MastersByMemory  int     `json:"masters_by_memory"`
	Masters          int     `json:"masters"`
	RotationCoreDays float64 `json:"rotation_core_days"` // processor time of servers for one rotation
	InMean           float64 `json:"in_mean"`            // bytes a second from devices
	InPeak           float64 `json:"in_peak"`
	OutMean          float64 `json:"out_mean"`
	OutPeak          float64 `json:"out_peak"`
	Costs            []Cost  `json:"costs"` // a month
	CostMonth        float64 `json:"cost_month"`
	CostPerMillion   float64 `json:"cost_per_million"` // users, a month
	Dominates        string  `json:"dominates"`
}

// Part is one kind of work at the design peak, in cores.
type Part struct {
	Name   string  `json:"name"`
	Server float64 `json:"server"`
	Redis  float64 `json:"redis"`
}

// Cost is one part of the price of a month.
type Cost struct {
	Name string  `json:"name"`
	USD  float64 `json:"usd"`
}

// work is what some devices ask for: counts, and bytes of bodies and headers.
type work struct {
	elements, evaluations, tags, matches, buckets, bucketBytes, labels, labelRecords, labelWork, fed float64
	registrations, in, out                                                                           float64
}

func (w *work) add(times float64, one work) {
	w.elements += times * one.elements
	w.evaluations += times * one.evaluations
	w.tags += times * one.tags
	w.matches += times * one.matches
	w.buckets += times * one.buckets
	w.bucketBytes += times * one.bucketBytes
	w.labels += times * one.labels
	w.labelRecords += times * one.labelRecords
	w.labelWork += times * one.labelWork
	w.fed += times * one.fed
	w.registrations += times * one.registrations
	w.in += times * one.in
	w.out += times * one.out
}

// model is a deployment that is being counted.
type model struct {
	in      Inputs
	k       Constants
	layout  Layout
	figures client.Figures
	mean    float64 // registrations a bucket
}

// Size returns what a deployment needs, or an *InputError, ErrServers or ErrMasters. The layout is the server's for so many users.
func Size(in Inputs, l Layout, k Constants) (*Result, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	users := float64(in.Users)
	m := &model{in: in, k: k, layout: l, mean: users / math.Exp2(float64(l.BucketBits))}
	m.figures = client.Figures{
		BucketBits: l.BucketBits, Slots: l.Slots, TagBytes: l.TagBytes,
		SnapshotBytes: int64(users * k[SnapshotUser]), ChangesBytesADay: int64(users * in.Churn * filter.ChangeSize),
	}
	first, daily, refresh := m.first(), m.daily(), m.refresh()
	var calm, moving, mean work // of a day
	for _, day := range []*work{&calm, &moving, &mean} {
		day.add(users*in.FirstSyncs, first)
		day.add(users*in.Active, daily)
		day.add(users*in.Active/refreshEvery, refresh)
		day.registrations += users * in.Churn
	}
	if in.Rotations > 0 {
		moving.add(users*24/in.Window, first)
		mean.add(users*in.Rotations/daysAYear, first)
	}
	r := &Result{
		Layout: l, UsersABucket: m.mean,
		EvaluationsMean: mean.elements / secondsADay,
		EvaluationsPeak: in.Peak * calm.elements / secondsADay,
		EvaluationsMove: in.Peak * moving.elements / secondsADay,
		InMean:          mean.in / secondsADay, OutMean: mean.out / secondsADay,
		InPeak: in.Peak * moving.in / secondsADay, OutPeak: in.Peak * moving.out / secondsADay,
	}
	if err := m.machines(r, moving); err != nil {
		return nil, err
	}
	m.costs(r)
	return r, nil
}

// first is what one device asks for that syncs for the first time in an epoch.
func (m *model) first() work {
	c := client.Counts{Numbers: m.in.Contacts, Hits: int(math.Round(float64(m.in.Contacts) * m.in.Hits))}
	w := m.evaluate(float64(m.in.Contacts), math.Ceil(float64(m.in.Contacts)/mostElements))
	m.eachMode(func(share float64, mode client.Mode) {
		policy := labelPolicies[m.in.Labels]
		one := m.asked(client.CountAsked(mode, policy, m.figures, c))
		bodies := float64(client.EstimateCost(mode, policy, m.figures, c).First)
		one.out += bodies - one.in + headersIn*(one.matches+one.buckets+one.labels)
		if mode == client.ModeSnapshot {
			one.fed += float64(m.figures.SnapshotBytes)
		}
		w.add(share, one)
	})
	return w
}

// daily is what one active device asks for on a later day.
func (m *model) daily() work {
	c := client.Counts{Numbers: m.in.Contacts}
	w := m.evaluate(m.in.NewContacts, m.in.NewContacts)
	m.eachMode(func(share float64, mode client.Mode) {
		bodies := float64(client.EstimateCost(mode, client.LabelsNone, m.figures, c).Daily)
		one := work{}
		if feed := float64(m.figures.ChangesBytesADay); mode != client.ModeExact && bodies == feed {
			one = work{fed: feed, in: headersIn, out: feed + headersOut}
		} else {
			one = m.asked(client.CountAsked(mode, client.LabelsNone, m.figures, c))
			one.out += bodies - one.in + headersIn*(one.matches+one.buckets)
		}
		w.add(share*m.in.Syncs, one)
		if mode != client.ModeExact {
			w.add(share*m.in.NewContacts*m.in.Hits, m.labels(client.Counts{Numbers: 1, Hits: 1}))
		}
	})
	return w
}

// refresh is what one device asks for that fetches the labels of all its hits anew. Mode exact gets them with every lookup.
func (m *model) refresh() (w work) {
	w.add(1-m.in.Exact, m.labels(client.Counts{Numbers: m.in.Contacts, Hits: int(math.Round(float64(m.in.Contacts) * m.in.Hits))}))
	return w
}

// labels is the fetching of labels alone.
func (m *model) labels(c client.Counts) work {
	policy := labelPolicies[m.in.Labels]
	w := m.asked(client.CountAsked(client.ModeSnapshot, policy, m.figures, c))
	with := client.EstimateCost(client.ModeSnapshot, policy, m.figures, c).First
	without := client.EstimateCost(client.ModeSnapshot, client.LabelsNone, m.figures, c).First
	w.out += float64(with-without) - w.in + headersIn*(w.matches+w.labels)
	return w
}

// eachMode calls for each mode with the share of the devices in it.
func (m *model) eachMode(call func(share float64, mode client.Mode)) {
	call(m.in.Exact, client.ModeExact)
	call(m.in.Snapshot, client.ModeSnapshot)
	call(max(0, 1-m.in.Exact-m.in.Snapshot), client.ModeBucket)
}

// evaluate is the evaluation of elements in requests.
func (m *model) evaluate(elements, requests float64) work {
	return work{
		elements: elements, evaluations: requests,
		in: elements*elementSize + requests*headersIn, out: elements*elementSize + requests*(proofSize+headersOut),
	}
}

// asked is the work of what a client asks for. Bytes out are those of headers alone.
func (m *model) asked(a client.Asked) work {
	w := work{
		tags: float64(a.Tags), matches: math.Ceil(float64(a.Tags) / mostTags),
		buckets:      math.Ceil(float64(a.Prefixes) / mostPrefixes),
		bucketBytes:  float64(a.Prefixes * m.layout.Slots * m.layout.TagBytes),
		labels:       math.Ceil(float64(a.LabelPrefixes) / mostLabels),
		labelRecords: float64(a.LabelPrefixes) * m.mean, labelWork: float64(a.LabelPrefixes) * (m.mean + bucketWork),
	}
	requests := w.matches + w.buckets + w.labels
	w.in = 16*w.tags + 4*float64(a.Prefixes+a.LabelPrefixes) + headersIn*requests
	w.out = headersOut * requests
	return w
}

// parts are the processor time of a day's work at its peak.
func (m *model) parts(w work) []Part {
	k, cores := m.k, m.in.Peak/secondsADay/1e6
	return []Part{
		{"evaluations", cores * (w.elements*k[EvaluateElement] + w.evaluations*k[EvaluateRequest]), cores * w.evaluations * k[EvaluateRequestRedis]},
		{"lookups by tag", cores * (w.tags*k[MatchTag] + w.matches*k[MatchRequest]), cores * (w.tags*k[MatchTagRedis] + w.matches*k[MatchRequestRedis])},
		{"lookups by bucket", cores * (w.bucketBytes/1e3*k[BucketKilobyte] + w.buckets*k[BucketRequest]), 0},
		{"labels by bucket", cores * (w.labelRecords*k[LabelRecord] + w.labels*k[LabelRequest]), cores * (w.labelWork*k[LabelRecordRedis] + w.labels*k[LabelRequestRedis])},
		{"snapshots and feed sent", cores * w.fed / 1e6 * k[ShardMegabyte], 0},
		{"registrations", cores * w.registrations * k[RegisterRequest], cores * w.registrations * k[RegisterRequestRedis]},
	}
}

// machines counts servers and masters for a day's work.
func (m *model) machines(r *Result, w work) error {
	k, in, users := m.k, m.in, float64(m.in.Users)
	r.Parts = m.parts(w)
	builds := users * (1 + in.Tombstones) * buildsADay / secondsADay / 1e6
	r.Parts = append(r.Parts, Part{"snapshots built", builds * k[BuildRecord], builds * k[BuildRecordRedis]})
	load := 0.0
	for _, p := range r.Parts {
		load += p.Server
		r.RedisLoad += p.Redis
	}
	// What each server does by itself: it asks for changes, and reads the whole directory anew every hour.
	reading, readingRedis := readingTakes(m.layout, users*(1+in.Tombstones), k)
	own := Part{"following the directory", (k[IdleServer] + reading/rescanEvery) / 1e6, (k[IdleServerRedis] + readingRedis/rescanEvery) / 1e6}
	left := float64(in.ServerCores)*in.Fill - own.Server
	if left <= 0 {
		return ErrServers
	}
	r.Servers = max(leastServers, int(math.Ceil(load/left)))
	r.AllCores = r.Servers * in.ServerCores
	own.Server, own.Redis = own.Server*float64(r.Servers), own.Redis*float64(r.Servers)
	r.Parts = append(r.Parts, own)
	r.ServerLoad, r.RedisLoad = load+own.Server, r.RedisLoad+own.Redis

	epoch := DirectoryBytes(m.layout, users, in.Tombstones, k) + shardSets*users*k[SnapshotUser]
	calm := users*in.FirstSyncs*math.Ceil(float64(in.Contacts)/mostElements) + users*in.Active*in.NewContacts
	accounts := users * k[QuotaAccount] // everybody is charged for something within 400 days
	r.RedisMemory = epoch + accounts + calm*k[QuotaRequest]
	r.RedisMemoryMost = r.RedisMemory
	r.ServerMemory = ServerBytes(m.layout, users, k)
	if in.Rotations > 0 {
		r.RedisMemoryMost = 2*epoch + accounts + w.evaluations*k[QuotaRequest]
		r.ServerMemory = 2*r.ServerMemory - k[ServerBase]
		r.RotationCoreDays = users * k[RotateUser] / 1e6 / secondsADay
	}
	r.MastersByCPU = int(math.Ceil(r.RedisLoad / in.Fill))
	r.MastersByMemory = int(math.Ceil(r.RedisMemoryMost / (in.MasterMemory * 1e9 * in.Fill)))
	r.Masters = max(1, r.MastersByCPU, r.MastersByMemory)
	if r.Masters > MostMasters {
		return ErrMasters
	}
	return nil
}

// costs counts what a month costs, and what most of it is for.
func (m *model) costs(r *Result) {
	in, nodes := m.in, float64(r.Masters*(1+m.in.Replicas))
	r.Costs = []Cost{
		{"cores of servers", float64(r.AllCores) * in.CoreHour * hoursAMonth},
		{"memory of servers", float64(r.Servers) * r.ServerMemory / 1e9 / in.Fill * in.GBHour * hoursAMonth},
		{"cores of Redis", nodes * in.CoreHour * hoursAMonth},
		{"memory of Redis", float64(1+in.Replicas) * r.RedisMemoryMost / 1e9 / in.Fill * in.GBHour * hoursAMonth},
		{"bytes to devices", r.OutMean / 1e9 * 3600 * hoursAMonth * in.EgressGB},
	}
	most := r.Costs[0]
	for _, c := range r.Costs {
		r.CostMonth += c.USD
		if c.USD > most.USD {
			most = c
		}
	}
	r.CostPerMillion = r.CostMonth / float64(in.Users) * 1e6
	r.Dominates = most.Name
}
