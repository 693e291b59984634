package size

import (
	"errors"
	"math"
	"testing"
)

// usual are the inputs of a deployment like most.
func usual(users int64) Inputs {
	return Inputs{
		Users: users, Active: 0.3, Syncs: 1, Contacts: 500, Hits: 0.3, NewContacts: 0.2, FirstSyncs: 0.002, Churn: 0.001,
		Labels: "by-bucket", Tombstones: 0.02, Peak: 3, Rotations: 1, Window: 168, Replicas: 1, ServerCores: 16, MasterMemory: 64,
		Fill: 0.6, CoreHour: 0.04, GBHour: 0.005, EgressGB: 0.05,
	}
}

// million is how a server lays a directory for a million users out.
var million = Layout{PartitionBits: 8, BucketBits: 14, Slots: 112, TagBytes: 5}

func sized(t *testing.T, in Inputs, l Layout, k Constants) *Result {
	t.Helper()
	r, err := Size(in, l, k)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// nothing has no constants but those given.
func nothing(given Constants) Constants {
	k := make(Constants)
	for name := range DefaultConstants() {
		k[name] = given[name]
	}
	return k
}

// TestSizeByHand has cases that were computed on paper.
func TestSizeByHand(t *testing.T) {
	in := usual(86_400_000)
	in.Rotations, in.NewContacts, in.Active, in.FirstSyncs, in.Exact = 0, 0, 0, 0.01, 1
	// 10 first syncs a second of 500 contacts each; 3 times as many at the peak.
	r := sized(t, in, million, nothing(Constants{EvaluateElement: 10, EvaluateRequest: 100, MatchTagRedis: 2}))
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"evaluations", r.EvaluationsMean, 5_000},
		{"evaluations at the peak", r.EvaluationsPeak, 15_000},
		{"cores for them", r.Parts[0].Server, 30 * (500*10e-6 + 100e-6)},
		{"cores of Redis for lookups of 512 tags", r.Parts[1].Redis, 30 * 512 * 2e-6},
		{"masters by processor time", float64(r.MastersByCPU), 1},
		// 32 bytes an element and 16 a tag, and headers of two requests.
		{"bytes in", r.InMean, 10 * (500*32 + 512*16 + 2*500)},
		// 32 bytes an element, a proof, 150 matches of 92 bytes, and headers.
		{"bytes out", r.OutMean, 10 * (500*32 + 64 + 150*92 + 2*300)},
		{"servers", float64(r.Servers), 2},
		{"price of cores", r.Costs[0].USD, 2 * 16 * 0.04 * 730},
	} {
		if math.Abs(c.got-c.want) > 1e-6*c.want {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
}

// TestSizeGrows has more of each input, which never needs less.
func TestSizeGrows(t *testing.T) {
	k := DefaultConstants()
	base := sized(t, usual(1_000_000), million, k)
	for name, more := range map[string]func(*Inputs){
		"users":        func(in *Inputs) { in.Users *= 3 },
		"active":       func(in *Inputs) { in.Active = 0.6 },
		"contacts":     func(in *Inputs) { in.Contacts = 2000 },
		"new contacts": func(in *Inputs) { in.NewContacts = 1 },
		"first syncs":  func(in *Inputs) { in.FirstSyncs = 0.02 },
		"tombstones":   func(in *Inputs) { in.Tombstones = 0.2 },
		"peak":         func(in *Inputs) { in.Peak = 6 },
		"rotations":    func(in *Inputs) { in.Rotations = 12 },
		"replicas":     func(in *Inputs) { in.Replicas = 2 },
		"core hour":    func(in *Inputs) { in.CoreHour = 1 },
	} {
		in := usual(1_000_000)
		more(&in)
		r := sized(t, in, million, k)
		for what, pair := range map[string][2]float64{
			"evaluations": {base.EvaluationsMean, r.EvaluationsMean}, "load": {base.ServerLoad, r.ServerLoad},
			"load of Redis": {base.RedisLoad, r.RedisLoad}, "memory": {base.RedisMemoryMost, r.RedisMemoryMost}, "bytes": {base.OutMean, r.OutMean},
		} {
			if pair[1] < pair[0] {
				t.Errorf("more %s: %s fell from %v to %v", name, what, pair[0], pair[1])
			}
		}
		if r.CostMonth <= base.CostMonth && name != "peak" && name != "first syncs" && name != "tombstones" {
			t.Errorf("more %s cost %v, and without it %v", name, r.CostMonth, base.CostMonth)
		}
	}
}

func TestSizeRefuses(t *testing.T) {
	for name, wrong := range map[string]func(*Inputs){
		"users": func(in *Inputs) { in.Users = 0 }, "active": func(in *Inputs) { in.Active = 1.1 },
		"contacts": func(in *Inputs) { in.Contacts = 0 }, "hits": func(in *Inputs) { in.Hits = math.NaN() },
		"snapshot": func(in *Inputs) { in.Exact, in.Snapshot = 0.6, 0.6 }, "labels": func(in *Inputs) { in.Labels = "all" },
		"peak": func(in *Inputs) { in.Peak = 0.5 }, "fill": func(in *Inputs) { in.Fill = 0 }, "window": func(in *Inputs) { in.Window = 0 },
		"core_hour": func(in *Inputs) { in.CoreHour = -1 }, "server_cores": func(in *Inputs) { in.ServerCores = 0 },
	} {
		in := usual(1_000_000)
		wrong(&in)
		_, err := Size(in, million, DefaultConstants())
		if out, ok := errors.AsType[*InputError](err); !ok || out.Input != name {
			t.Errorf("%s: got %v", name, err)
		}
	}
	k := DefaultConstants()
	k[RescanRecord] = 1e9
	if _, err := Size(usual(1_000_000), million, k); !errors.Is(err, ErrServers) {
		t.Errorf("servers that only follow: got %v", err)
	}
	k = DefaultConstants()
	k[MatchTagRedis] = 1e9
	in := usual(1_000_000)
	in.Exact = 1
	if _, err := Size(in, million, k); !errors.Is(err, ErrMasters) {
		t.Errorf("masters: got %v", err)
	}
}

func TestParseCount(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "1000": 1000, "1e6": 1_000_000, "500M": 500_000_000, "2G": 2_000_000_000, "2.5M": 2_500_000, "250k": 250_000, "10G": 10_000_000_000,
	} {
		if got, ok := ParseCount(text); !ok || got != want {
			t.Errorf("%q: got %d, %t, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "M", "0", "-1", "1.5", "11G", "1T", "1 M", "inf", "NaN", "0x10", "1_000", "1e99", "2MM"} {
		if got, ok := ParseCount(text); ok {
			t.Errorf("%q: got %d, want it refused", text, got)
		}
	}
}

// TestSizeClass has classes of jemalloc's table.
func TestSizeClass(t *testing.T) {
	for n, want := range map[int]int{16: 16, 17: 32, 128: 128, 129: 160, 160: 160, 161: 192, 257: 320, 4096: 4096, 4097: 5120, 6144: 6144, 6145: 7168, 8193: 10240, 33_000: 40_960} {
		if got := sizeClass(n); got != want {
			t.Errorf("%d bytes: got %d, want %d", n, got, want)
		}
	}
}

// TestDirectoryBytes holds the memory to its parts: not below what the entries are, and not an eighth above with the largest gap of the
// classes; changes are bounded.
func TestDirectoryBytes(t *testing.T) {
	k := nothing(Constants{ChangeEntry: 0})
	for _, bits := range []int{10, 14, 15, 20, 23} {
		for _, mean := range []float64{1, 30, 50, 61, 238} {
			users := mean * math.Exp2(float64(bits))
			got := DirectoryBytes(Layout{PartitionBits: 8, BucketBits: bits}, users, 0, k) / users
			entry := recordEntry + float64(16-bits/8)
			if low, high := entry, 1.25*(entry+8)+16; got < low || got > high {
				t.Errorf("%d bits, %v a bucket: %v bytes a user, want from %v to %v", bits, mean, got, low, high)
			}
		}
	}
	k[ChangeEntry] = 50
	few, many := Layout{PartitionBits: 8, BucketBits: 8}, 1e9
	if got, want := DirectoryBytes(few, many, 0, k)-DirectoryBytes(few, many, 0, nothing(nil)), 256*4096*50.0; math.Abs(got-want) > 1e-3*want {
		t.Errorf("changes take %v, want %v", got, want)
	}
}

// TestFit has points on a line, points that are on none, and lines that would go below 0.
func TestFit(t *testing.T) {
	for name, c := range map[string]struct {
		x, y []float64
		a, b float64
	}{
		"on a line":       {[]float64{10, 100, 1000}, []float64{70, 160, 1060}, 60, 1},
		"two points":      {[]float64{100, 1000}, []float64{200, 1100}, 100, 1},
		"relative errors": {[]float64{1, 2, 3}, []float64{1, 2, 2}, 10.0 / 21, 4.0 / 7}, // by hand: weights 1, 1/4 and 1/4
		"falling":         {[]float64{1, 2}, []float64{2, 1}, 1.2, 0},
		"through nothing": {[]float64{1, 2}, []float64{1, 4}, 0, 1.2},
	} {
		if a, b := fit(c.x, c.y); math.Abs(a-c.a) > 1e-9 || math.Abs(b-c.b) > 1e-9 {
			t.Errorf("%s: got %v + %vx, want %v + %vx", name, a, b, c.a, c.b)
		}
	}
}

func TestReadConstants(t *testing.T) {
	k, err := ReadConstants([]byte(`{"evaluate_element_us": 3}`))
	if err != nil || k[EvaluateElement] != 3 || k[MatchTag] != DefaultConstants()[MatchTag] {
		t.Errorf("got %v, %v", k, err)
	}
	for _, text := range []string{``, `[]`, `{"speed": 3}`, `{"match_tag_us": -1}`, `{"match_tag_us": "3"}`} {
		if _, err := ReadConstants([]byte(text)); !errors.Is(err, ErrConstants) {
			t.Errorf("%s: got %v, want ErrConstants", text, err)
		}
	}
}

// TestConstantsAreWhatWasMeasured makes measurements of known constants, and wants these back and no error of the model.
func TestConstantsAreWhatWasMeasured(t *testing.T) {
	k := DefaultConstants()
	m := &Measured{Users: 1_000_000, Layout: million, Changes: 10, ChangeBytes: 10 * k[ChangeEntry]}
	m.RedisMemory, m.ServerMemory = DirectoryBytes(million, 1e6, 0, k), ServerBytes(million, 1e6, k)
	m.SnapshotBytes, m.ImportUser, m.ImportUserRedis = 1e6*k[SnapshotUser], k[ImportUser], k[ImportUserRedis]
	m.BuildRecord, m.BuildRecordRedis = k[BuildRecord], k[BuildRecordRedis]
	read := func(l Layout, users int64) Reading {
		server, store := readingTakes(l, float64(users), k)
		return Reading{l, users, server, store}
	}
	m.Read, m.Empty = read(million, 1e6), []Reading{read(Layout{PartitionBits: 8, BucketBits: 8, Slots: 96, TagBytes: 3}, 0), read(million, 0)}
	m.IdleServer, m.IdleServerRedis = k[IdleServer], k[IdleServerRedis]
	mean := 1e6 / math.Exp2(14)
	for _, n := range []int{100, 1000} {
		units := float64(n)
		m.Asked = append(m.Asked,
			Asks{KindEvaluate, n, 1, 0, k[EvaluateRequest] + units*k[EvaluateElement], k[EvaluateRequestRedis]},
			Asks{KindMatch, n, 1, 0, k[MatchRequest] + units*k[MatchTag], k[MatchRequestRedis] + units*k[MatchTagRedis]},
			Asks{KindBucket, n, 1, 0, k[BucketRequest] + units*0.56*k[BucketKilobyte], 0},
			Asks{KindLabel, n, 1, 0, k[LabelRequest] + units*mean*k[LabelRecord], k[LabelRequestRedis] + units*(mean+50)*k[LabelRecordRedis]})
	}
	m.Asked = append(m.Asked, Asks{KindShard, 1, 1, 5e5, k[BucketRequest] + k[ShardMegabyte]/2, 0}, Asks{KindRegister, 1, 1, 0, k[RegisterRequest], k[RegisterRequestRedis]})
	for name, got := range m.Constants(nothing(Constants{})) {
		want := k[name]
		switch name {
		case RotateUser, BucketKey, QuotaRequest, QuotaAccount, ServerBase, ServerHeap: // measured elsewhere
			want = 0
		}
		if math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	rows := m.Compare(k)
	for _, row := range rows {
		if row.Error() > 1e-6 {
			t.Errorf("%s: predicted %v, measured %v", row.What, row.Predicted, row.Measured)
		}
	}
	if len(rows) < 20 {
		t.Errorf("%d rows", len(rows))
	}
	if row := (Row{Predicted: 8, Measured: 10}); math.Abs(row.Error()-0.2) > 1e-9 {
		t.Errorf("8 for 10 is off by %v, want 0.2", row.Error())
	}
}
