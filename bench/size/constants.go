package size

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ErrConstants is returned for a file of constants that has a name which there is not, or a value that is none.
var ErrConstants = errors.New("size: constants")

// The constants of the model, by name. Times are processor time in µs.
const (
	EvaluateRequest      = "evaluate_request_us"       // kith: a request for evaluations, without its elements
	EvaluateElement      = "evaluate_element_us"       // kith: an element of it, with its share of the proof
	EvaluateRequestRedis = "evaluate_request_redis_us" // Redis: the debit of a request
	MatchRequest         = "match_request_us"          // kith: a lookup by tag
	MatchTag             = "match_tag_us"              // kith: a tag of it
	MatchRequestRedis    = "match_request_redis_us"    // Redis: a lookup by tag, the fences of its partitions included
	MatchTagRedis        = "match_tag_redis_us"        // Redis: a tag of it
	BucketRequest        = "bucket_request_us"         // kith: a lookup by bucket
	BucketKilobyte       = "bucket_kb_us"              // kith: 1,000 bytes of its answer, from memory
	LabelRequest         = "label_request_us"          // kith: a request for labels
	LabelRecord          = "label_record_us"           // kith: a registration in the buckets of it
	LabelRequestRedis    = "label_request_redis_us"    // Redis: a request for labels
	LabelRecordRedis     = "label_record_redis_us"     // Redis: the same
	ShardMegabyte        = "shard_mb_us"               // kith: 1,000,000 bytes of the snapshot or the feed sent, besides a request as for buckets
	RegisterRequest      = "register_us"               // kith: one registration by HTTP
	RegisterRequestRedis = "register_redis_us"         // Redis: the same
	ImportUser           = "import_user_us"            // kith: a user of an import
	ImportUserRedis      = "import_user_redis_us"      // Redis: the same
	RescanPartition      = "rescan_partition_us"       // kith: a partition read into a server's memory, without what is in it
	RescanSlot           = "rescan_slot_us"            // kith: a slot of a bucket that is filled up then
	RescanRecord         = "rescan_record_us"          // kith: a registration read then
	RescanPartitionRedis = "rescan_partition_redis_us" // Redis: a partition that is read
	RescanBucketRedis    = "rescan_bucket_redis_us"    // Redis: a bucket of it
	RescanRecordRedis    = "rescan_record_redis_us"    // Redis: a registration of it
	BuildRecord          = "build_record_us"           // kith: a registration put into a snapshot
	BuildRecordRedis     = "build_record_redis_us"     // Redis: the same
	RotateUser           = "rotate_user_us"            // kith: a user moved to another key, verified and settled
	IdleServer           = "idle_server_us"            // kith: a second of a server that nobody asks
	IdleServerRedis      = "idle_server_redis_us"      // Redis: the same, which is the polls of that server
	BucketKey            = "bucket_key_bytes"          // Redis: a bucket besides the registrations in it
	ChangeEntry          = "change_bytes"              // Redis: a change that is kept for devices and servers
	QuotaRequest         = "quota_request_bytes"       // Redis: a charged request, for a day
	QuotaAccount         = "quota_account_bytes"       // Redis: an account that was charged, for 400 days
	SnapshotUser         = "snapshot_user_bytes"       // a user in a snapshot
	ServerBase           = "server_base_bytes"         // memory of a server without users
	ServerHeap           = "server_heap_factor"        // memory of a server by what it has to hold
)

// Constant is one measured figure.
type Constant struct {
	Name    string
	Value   float64
	Command string // that measures it
	Meaning string
}

const (
	byCheck    = "kith bench size --check"
	byRotation = "make rotation-1m"
	byRedis    = "MEMORY USAGE"
)

// MeasuredOn says where and when the constants that are built in were measured.
const MeasuredOn = "one core of an AMD EPYC (family 25, AVX-512 IFMA), Redis 7.0.15, 2026-11-25"

// Constants are figures by name.
type Constants map[string]float64

// DefaultConstants returns the figures that are built in.
func DefaultConstants() Constants {
	c := make(Constants, len(table))
	for _, row := range table {
		c[row.Name] = row.Value
	}
	return c
}

// Table returns the constants with the commands that measure them, in the order of this package's documentation.
func Table() []Constant { return slices.Clone(table) }

// ReadConstants returns the built-in constants with those of a JSON object of names and numbers in their place. It returns
// ErrConstants for a name that there is not and for a value that is negative or none.
func ReadConstants(text []byte) (Constants, error) {
	var given map[string]float64
	if err := json.Unmarshal(text, &given); err != nil {
		return nil, fmt.Errorf("%w: not a JSON object of names and numbers", ErrConstants)
	}
	c := DefaultConstants()
	for name, value := range given {
		if _, known := c[name]; !known {
			return nil, fmt.Errorf("%w: there is none called %q", ErrConstants, strings.ToValidUTF8(name[:min(len(name), 40)], "?"))
		}
		if !(value >= 0) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("%w: %s is not a number from 0", ErrConstants, name)
		}
		c[name] = value
	}
	return c, nil
}

// MarkdownConstants returns the table of the constants for a document.
func MarkdownConstants() string {
	var b strings.Builder
	b.WriteString("| constant | value | what | measured by |\n|---|---:|---|---|\n")
	for _, c := range table {
		fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` |\n", c.Name, trim(c.Value), c.Meaning, c.Command)
	}
	return b.String()
}

// trim writes a number to three digits.
func trim(v float64) string {
	if v >= 1000 {
		return count(int64(math.Round(v)))
	}
	return fmt.Sprintf("%.3g", v)
}
