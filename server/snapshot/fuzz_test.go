package snapshot

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/filter"
)

// given returns fields, each followed by its value, without those that are empty.
func given(pairs ...string) map[string]string {
	fields := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fields[pairs[i]] = pairs[i+1]
		}
	}
	return fields
}

// FuzzParseFeed reads the state of a feed that no builder wrote. What is taken is what would be written again, and the manifests
// that follow from it are valid.
func FuzzParseFeed(f *testing.F) {
	f.Add("1795561200000", "3", "1795561200000", "700", "-1", strings.Repeat("\x00", 16))
	f.Add("1", "0", "-9223372036854775808", "9223372036854775807", "9223372036854775807", strings.Repeat("\xff", 16))
	f.Add("1", "0", "0", "-1", "-2", strings.Repeat("\x00", 15))
	f.Add("01", "", "x", "", "0", "")
	f.Fuzz(func(t *testing.T, generation, head, began, bytes, before, positions string) {
		const partitions = 2
		fields := given(fieldGeneration, generation, fieldHead, head, fieldDay, began, fieldBytes, bytes, fieldBefore, before, fieldPositions, positions)
		got, ok := parseFeed(fields, partitions)
		if !ok {
			return
		}
		if again, ok := parseFeed(written(got), partitions); !ok || again.position != got.position || again.rate != got.rate {
			t.Errorf("got %+v, then %+v", got, again)
		}
		m := golden()
		m.ChangesSince = got.position
		for _, now := range []time.Time{time.UnixMilli(0), time.UnixMilli(1795561200000), time.UnixMilli(1 << 52)} {
			if m.ChangesBytesADay = got.rate.perDay(now); m.validate() != nil {
				t.Errorf("%+v becomes %d bytes a day at %v", got.rate, m.ChangesBytesADay, now)
			}
		}
	})
}

// stored returns fields, each followed by its value, as Redis gives them back.
func stored(pairs []any) map[string]string {
	fields := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		text, isBytes := pairs[i+1].([]byte)
		if !isBytes {
			text = fmt.Append(nil, pairs[i+1])
		}
		fields[pairs[i].(string)] = string(text)
	}
	return fields
}

// written returns the fields of a feed as they are stored.
func written(f *feed) map[string]string {
	fields := stored(f.fields())
	fields[fieldGeneration], fields[fieldHead] = decimal(f.position.Generation), decimal(f.position.Segment)
	return fields
}

// FuzzParsePlan reads a build under way that no builder wrote. A build that is gone on with ends in a manifest that is valid.
func FuzzParsePlan(f *testing.F) {
	id := ID{1}.String()
	f.Add("name", "1795561200000", "0", "1.0", "0", "s0", id+" 10 80")
	f.Add("name", "1795561200000", "1", "1.0", "0", "s1", id+" 9223372036854775807 9223372036854775807")
	f.Add("name", "1", "32", "1.0", "9", "s00", id+" 1 1")
	f.Add("", "-1", "33", "0.0", "-1", "", "")
	f.Fuzz(func(t *testing.T, name, created, bits, since, malformed, field, value string) {
		fields := map[string]string{fieldName: name, fieldCreated: created, fieldShardBits: bits, fieldSince: since, fieldMalformed: malformed}
		maps.Copy(fields, given(field, value))
		p, ok := parsePlan(fields)
		if !ok {
			return
		}
		again := stored(p.fields())
		for _, shard := range p.done {
			again[shardField(shard.Shard)] = shardValue(shard)
		}
		if q, ok := parsePlan(again); !ok || q.progress() != p.progress() {
			t.Errorf("got %+v, then %+v", p, q)
		}
		if p.shardBits > 4 {
			return
		}
		for number := range p.shards() {
			if _, done := p.done[number]; !done {
				p.finish(Shard{Shard: number, ID: ID{2}, Keys: 1 << 40, Bytes: 1 << 42}, 0)
			}
		}
		if m := p.manifest(1, time.Hour, 0); m.validate() != nil {
			t.Errorf("%+v becomes a manifest that contradicts itself", p)
		}
	})
}

// FuzzSegment reads the state and a segment of a feed as a server does for a device. What is handed on can be read.
func FuzzSegment(f *testing.F) {
	entry := string(filter.AppendChange(nil, filter.Change{Visible: true}))
	f.Add("7", "3", "0", "7-3", entry)
	f.Add("7", "3", "x", "7-4", entry[1:])
	f.Add("", "", "", "", "")
	f.Fuzz(func(t *testing.T, generation, head, trimmed, id, entries string) {
		position, _, err := parseState([]any{generation, head, trimmed})
		if err != nil {
			if !errors.Is(err, ErrUnavailable) || position != (Position{}) {
				t.Errorf("got %v, %v, want ErrUnavailable", position, err)
			}
			return
		}
		got, err := decodeSegment([]redis.XMessage{{ID: id, Values: map[string]any{"e": entries}}}, position)
		if err != nil {
			if !errors.Is(err, ErrTrimmed) || got.Entries != nil {
				t.Errorf("got %+v, %v, want ErrTrimmed", got, err)
			}
			return
		}
		if _, err := filter.ParseChanges(got.Entries); err != nil || string(got.Entries) != entries || got.Next != position.String() || id != position.streamID() {
			t.Errorf("got %+v of %q", got, id)
		}
	})
}
