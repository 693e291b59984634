package chaos

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// stored is what is in Redis in the end, read key by key without the code that servers read by.
type stored struct {
	snapshot *keyring.Snapshot
	epochs   []content // those that are written to, by id
	wrong    []string  // what does not fit together
}

// content is what an epoch holds.
type content struct {
	epoch   *keyring.Epoch
	records map[int]state // by number; one that is not there has no record
}

func (s *stored) fault(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// readStored reads everything in Redis.
func readStored(ctx context.Context, rdb *redis.Client, master keyring.MasterKey, numbers int) (*stored, error) {
	keys, err := keyring.Open(ctx, rdb, master)
	if err != nil {
		return nil, err
	}
	s := new(stored)
	if s.snapshot, err = keys.Current(); err != nil {
		return nil, err
	}
	names, err := scanKeys(ctx, rdb)
	if err != nil {
		return nil, err
	}
	if err := s.leftovers(ctx, rdb, names); err != nil {
		return nil, err
	}
	for _, e := range s.snapshot.Epochs {
		if !e.Written() {
			continue
		}
		r := &reader{stored: s, rdb: rdb, epoch: e, content: content{e, make(map[int]state)}}
		if err := r.read(ctx, names, numbers); err != nil {
			return nil, err
		}
		s.epochs = append(s.epochs, r.content)
	}
	slices.SortFunc(s.epochs, func(a, b content) int { return cmp.Compare(a.epoch.ID, b.epoch.ID) })
	return s, nil
}

func scanKeys(ctx context.Context, rdb *redis.Client) ([]string, error) {
	var all []string
	for cursor := uint64(0); ; {
		keys, next, err := rdb.Scan(ctx, cursor, "*", 1000).Result()
		if err != nil {
			return nil, err
		}
		all = append(all, keys...)
		if cursor = next; cursor == 0 {
			slices.Sort(all)
			return slices.Compact(all), nil
		}
	}
}

var (
	// epochKey matches the key of anything that belongs to one epoch: its directory, its snapshot, its rotation.
	epochKey = regexp.MustCompile(`^kith:\{(?:rotation\.)?e(\d+)\.`)
	// shardKey matches the key of a shard of a snapshot.
	shardKey = regexp.MustCompile(`^kith:\{e\d+\.s[\w-]{43}\}$`)
	// sweepKey matches the key of the queue by which an epoch was removed.
	sweepKey = regexp.MustCompile(`^kith:\{rotation\.e\d+\.sweep\d\}`)
)

// leftovers finds keys of epochs that are over, or that there are none of. How the removal of an epoch went stays known,
// and shards of snapshots expire.
func (s *stored) leftovers(ctx context.Context, rdb *redis.Client, keys []string) error {
	for _, key := range keys {
		m := epochKey.FindStringSubmatch(key)
		if m == nil || sweepKey.MatchString(key) {
			continue
		}
		id, _ := strconv.ParseUint(m[1], 10, 32)
		e := s.snapshot.Epoch(uint32(id))
		switch {
		case e == nil:
			s.fault("%s is of an epoch that is not in the keyring", key)
		case !e.Over():
		case shardKey.MatchString(key):
			left, err := rdb.PTTL(ctx, key).Result()
			if err != nil {
				return err
			}
			if left < 0 {
				s.fault("%s of epoch %d, which is %s, does not expire", key, e.ID, e.State)
			}
		default:
			s.fault("%s is left of epoch %d, which is %s", key, e.ID, e.State)
		}
	}
	return nil
}

// reader reads the directory of one epoch.
type reader struct {
	*stored
	content
	rdb    *redis.Client
	epoch  *keyring.Epoch
	names  names
	number map[crypto.Tag]int
	parts  map[uint32]*part
}

// part is what was read of one partition.
type part struct {
	formats [4]int64 // records by format
	visible map[crypto.Tag]bool
}

func (r *reader) fault(format string, args ...any) {
	r.stored.fault("epoch %d: %s", r.epoch.ID, fmt.Sprintf(format, args...))
}

// bucketKey matches the key of a bucket.
var bucketKey = regexp.MustCompile(`^kith:\{e(\d+)\.p(\d+)\}:b(\d+)$`)

func (r *reader) read(ctx context.Context, keys []string, numbers int) error {
	var err error
	if r.names, err = namesIn(r.epoch, numbers); err != nil {
		return err
	}
	r.number = make(map[crypto.Tag]int)
	for i, tag := range r.names.tags {
		r.number[tag] = i
	}
	r.parts = make(map[uint32]*part)
	for p := range r.epoch.Layout.Partitions() {
		r.parts[uint32(p)] = &part{visible: make(map[crypto.Tag]bool)}
	}
	for _, key := range keys {
		m := bucketKey.FindStringSubmatch(key)
		if m == nil || m[1] != fmt.Sprint(r.epoch.ID) {
			continue
		}
		fields, err := r.rdb.HGetAll(ctx, key).Result()
		if err != nil {
			return err
		}
		for field, value := range fields {
			r.record(key, field, value)
		}
	}
	for p, part := range r.parts {
		if err := r.meta(ctx, p, part); err != nil {
			return err
		}
	}
	return nil
}

// record reads one field of a bucket.
func (r *reader) record(key, field, value string) {
	var record directory.Record
	if err := record.UnmarshalBinary([]byte(value)); len(field) != crypto.TagSize || err != nil {
		r.fault("%s: a record is malformed", key)
		return
	}
	tag := crypto.Tag([]byte(field))
	n, ok := r.number[tag]
	if !ok {
		r.fault("%s: a record is of no number", key)
		return
	}
	layout := r.epoch.Layout
	if want := fmt.Sprintf("kith:{e%d.p%d}:b%d", r.epoch.ID, layout.Partition(tag), layout.Bucket(tag)); key != want {
		r.fault("n%d is in %s, where nobody looks for it, and belongs in %s", n, key, want)
		return
	}
	if _, twice := r.records[n]; twice {
		r.fault("n%d is there twice", n)
	}
	s := state{format: record.Format, version: record.Version}
	if _, err := r.epoch.Storage.Unwrap(tag, record.Wrapped); err != nil {
		r.fault("n%d: the element does not unwrap", n)
	}
	part := r.parts[layout.Partition(tag)]
	part.formats[record.Format]++
	if record.Format == directory.Visible {
		part.visible[tag] = true
		label, err := r.names.labels[n].Open(tag, record.Label)
		if err != nil {
			r.fault("n%d: the label does not open", n)
		}
		s.label = label
	}
	r.records[n] = s
}

// meta compares the counters and the change stream of a partition with its records.
func (r *reader) meta(ctx context.Context, partition uint32, part *part) error {
	prefix := fmt.Sprintf("kith:{e%d.p%d}:", r.epoch.ID, partition)
	meta, err := r.rdb.HGetAll(ctx, prefix+"meta").Result()
	if err != nil {
		return err
	}
	if len(meta) == 0 {
		r.fault("partition %d is missing", partition)
		return nil
	}
	for format, counter := range map[directory.Format]string{directory.Visible: "visible", directory.Hidden: "hidden", directory.Deleted: "deleted"} {
		if want := strconv.FormatInt(part.formats[format], 10); meta[counter] != want {
			r.fault("partition %d counts %s %s, and has %s", partition, meta[counter], counter, want)
		}
	}
	if fence, err := strconv.ParseUint(meta["fence"], 10, 64); err != nil || fence > r.snapshot.Generation {
		r.fault("partition %d has the fence %q, and the keyring the generation %d", partition, meta["fence"], r.snapshot.Generation)
	}
	changes, err := r.rdb.XRange(ctx, prefix+"changes", "-", "+").Result()
	if err != nil {
		return err
	}
	r.changes(partition, part, changes, meta["changes"])
	return nil
}

// changes follows a change stream from its beginning, which leads to the records that are visible.
func (r *reader) changes(partition uint32, part *part, changes []redis.XMessage, last string) {
	visible := make(map[crypto.Tag]bool)
	for i, c := range changes {
		if want := fmt.Sprintf("%d-0", i+1); c.ID != want {
			r.fault("partition %d: a change has the id %s, want %s", partition, c.ID, want)
		}
		text, _ := c.Values["c"].(string)
		if len(text) != 7+crypto.TagSize {
			r.fault("partition %d: change %s is malformed", partition, c.ID)
			continue
		}
		tag, appeared := crypto.Tag([]byte(text[7:])), text[0]>>5 == byte(directory.Visible)
		if visible[tag] == appeared {
			r.fault("partition %d: change %s changes nothing", partition, c.ID)
		}
		visible[tag] = appeared
	}
	if want := strconv.Itoa(len(changes)); last != want {
		r.fault("partition %d counts %s changes, and has %s", partition, last, want)
	}
	for i, tag := range r.names.tags {
		if r.epoch.Layout.Partition(tag) == partition && visible[tag] != part.visible[tag] {
			r.fault("partition %d: by the changes n%d is visible: %t, by the records: %t", partition, i, visible[tag], part.visible[tag])
		}
	}
}
