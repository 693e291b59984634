package size

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/kith-project/kith/client"
)

// Layout is how the server lays an epoch out.
type Layout struct {
	PartitionBits int `json:"partition_bits"`
	BucketBits    int `json:"bucket_bits"`
	Slots         int `json:"slots"`
	TagBytes      int `json:"tag_bytes"`
}

// Inputs are what a deployment is asked for. Its JSON names are those of kith bench size --json, and with - in place of _ its
// flags.
type Inputs struct {
	Users        int64   `json:"users"`         // registered
	Active       float64 `json:"active"`        // share of them whose device syncs on a day
	Syncs        float64 `json:"syncs"`         // of such a device on that day
	Contacts     int     `json:"contacts"`      // numbers of an address book, mean
	Hits         float64 `json:"hits"`          // share of them that are registered
	NewContacts  float64 `json:"new_contacts"`  // that an active device meets on a day, up to 1
	FirstSyncs   float64 `json:"first_syncs"`   // share of all users who begin anew on a day: new ones, new devices, lost state
	Churn        float64 `json:"churn"`         // share of all users who register or leave on a day
	Exact        float64 `json:"exact"`         // share of devices in mode exact
	Snapshot     float64 `json:"snapshot"`      // share of devices in mode snapshot; the rest is in mode bucket
	Labels       string  `json:"labels"`        // how labels are fetched: by-bucket, by-tag or none
	Tombstones   float64 `json:"tombstones"`    // hidden or deleted registrations that are kept, as a share of the users
	Peak         float64 `json:"peak"`          // the busiest moment by the mean of a day
	Rotations    float64 `json:"rotations"`     // a year
	Window       float64 `json:"window"`        // hours that devices have to move after a rotation
	Replicas     int     `json:"replicas"`      // of each master
	ServerCores  int     `json:"server_cores"`  // of a server
	MasterMemory float64 `json:"master_memory"` // GB of a Redis
	Fill         float64 `json:"fill"`          // how much of cores and memory may be used at the peak
	CoreHour     float64 `json:"core_hour"`     // USD
	GBHour       float64 `json:"gb_hour"`       // USD, of memory
	EgressGB     float64 `json:"egress_gb"`     // USD
}

// InputError is returned for an input that is out of range.
type InputError struct{ Input, Range string }

func (e *InputError) Error() string { return "size: " + e.Input + ": " + e.Range }

const (
	// MostUsers bounds the users: there are fewer phones.
	MostUsers = 10_000_000_000
	// MostMasters is as many as can share the 256 partitions of an epoch.
	MostMasters = 256
)

// check returns an *InputError if one is out of range.
func (in *Inputs) check() error {
	for _, c := range []struct {
		name               string
		value, least, most float64
	}{
		{"users", float64(in.Users), 1, MostUsers},
		{"active", in.Active, 0, 1},
		{"syncs", in.Syncs, 0, 1000},
		{"contacts", float64(in.Contacts), 1, 100_000},
		{"hits", in.Hits, 0, 1},
		{"new_contacts", in.NewContacts, 0, 1},
		{"first_syncs", in.FirstSyncs, 0, 1},
		{"churn", in.Churn, 0, 1},
		{"exact", in.Exact, 0, 1},
		{"snapshot", in.Snapshot, 0, 1 - in.Exact},
		{"tombstones", in.Tombstones, 0, 1},
		{"peak", in.Peak, 1, 100},
		{"rotations", in.Rotations, 0, 366},
		{"window", in.Window, 1, 8784},
		{"replicas", float64(in.Replicas), 0, 10},
		{"server_cores", float64(in.ServerCores), 1, 1024},
		{"master_memory", in.MasterMemory, 1, 16_384},
		{"fill", in.Fill, 0.05, 1},
		{"core_hour", in.CoreHour, 0, 1000},
		{"gb_hour", in.GBHour, 0, 1000},
		{"egress_gb", in.EgressGB, 0, 1000},
	} {
		if !(c.value >= c.least-1e-12 && c.value <= c.most+1e-12) {
			return &InputError{c.name, fmt.Sprintf("from %s to %s", number(c.least), number(c.most))}
		}
	}
	if _, ok := labelPolicies[in.Labels]; !ok {
		return &InputError{"labels", "by-bucket, by-tag or none"}
	}
	return nil
}

var labelPolicies = map[string]client.LabelPolicy{"by-bucket": client.LabelsByBucket, "by-tag": client.LabelsByTag, "none": client.LabelsNone}

// ParseCount reads a number of things, such as 1000000, 1e6, 1M, 2.5M, 2G or 500k. It returns false for what is not a whole number
// from 1 to MostUsers.
func ParseCount(text string) (int64, bool) {
	factor := 1.0
	if n := len(text); n > 0 {
		if f, ok := map[byte]float64{'k': 1e3, 'K': 1e3, 'M': 1e6, 'G': 1e9}[text[n-1]]; ok {
			text, factor = text[:n-1], f
		}
	}
	if strings.Trim(text, "0123456789.e+") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	v *= factor
	if err != nil || v < 1 || v > MostUsers || v != math.Trunc(v) {
		return 0, false
	}
	return int64(v), true
}

func number(v float64) string {
	if v >= 10_000 {
		return count(int64(v))
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// count writes a number with a comma before each three digits.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
