package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// goldenManifest is what devices are told, member by member.
const goldenManifest = `{"epoch":7,"created_ms":1795561200000,"max_age":43200,"filter":"binary-fuse-16","shard_bits":1,` +
	`"keys":30,"bytes":200,"changes_since":"1795561100000.3","changes_bytes_a_day":900,"shards":[` +
	`{"shard":0,"id":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","keys":10,"bytes":80},` +
	`{"shard":1,"id":"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","keys":20,"bytes":120}]}`

func golden() Manifest {
	return Manifest{
		Epoch: 7, Created: 1795561200000, MaxAge: 43200, Filter: FilterName, ShardBits: 1, Keys: 30, Bytes: 200,
		ChangesSince: Position{1795561100000, 3}, ChangesBytesADay: 900,
		Shards: []Shard{{0, ID{1}, 10, 80}, {1, ID{2}, 20, 120}},
	}
}

func TestManifestJSON(t *testing.T) {
	text, err := json.Marshal(golden())
	if err != nil || string(text) != goldenManifest {
		t.Errorf("got %s, %v, want %s", text, err, goldenManifest)
	}
	m, err := ParseManifest([]byte(goldenManifest))
	if err != nil || !reflect.DeepEqual(m, golden()) {
		t.Errorf("got %+v, %v, want %+v", m, err, golden())
	}
	later := strings.Replace(goldenManifest, `{"epoch"`, `{"later":[1],"epoch"`, 1)
	if m, err := ParseManifest([]byte(later)); err != nil || !reflect.DeepEqual(m, golden()) {
		t.Errorf("with a member of a later version: got %+v, %v", m, err)
	}
}

func TestParseManifestRefuses(t *testing.T) {
	for _, c := range []struct{ name, old, new string }{
		{"epoch 0", `"epoch":7`, `"epoch":0`},
		{"negative epoch", `"epoch":7`, `"epoch":-7`},
		{"no time", `"created_ms":1795561200000`, `"created_ms":0`},
		{"no maximum age", `"max_age":43200`, `"max_age":0`},
		{"another filter", `binary-fuse-16`, `binary-fuse-8`},
		{"more shards than there are", `"shard_bits":1`, `"shard_bits":2`},
		{"fewer shards than there are", `"shard_bits":1`, `"shard_bits":0`},
		{"shard bits of a shift too far", `"shard_bits":1`, `"shard_bits":65`},
		{"shard bits out of range", `"shard_bits":1`, `"shard_bits":257`},
		{"other sum of keys", `"keys":30`, `"keys":31`},
		{"other sum of bytes", `"bytes":200`, `"bytes":199`},
		{"negative keys", `"keys":10`, `"keys":-10`},
		{"sum that overflows", `"keys":10`, `"keys":9223372036854775807`},
		{"no position", `"1795561100000.3"`, `""`},
		{"malformed position", `"1795561100000.3"`, `"3"`},
		{"position of no text", `"1795561100000.3"`, `3`},
		{"negative rate", `900`, `-900`},
		{"shards out of order", `"shard":0`, `"shard":1`},
		{"id a character short", `AQAAA`, `AQAA`},
		{"id a character long", `AQAAA`, `AQAAAA`},
		{"id with padding", `AAA","keys":10`, `AAA=","keys":10`},
		{"id with bits behind the last byte", `AAA","keys":10`, `AAB","keys":10`},
		{"id in the other alphabet", `AQAAA`, `A/AAA`},
		{"id with a line break", `AQAAA`, `AQ\nAAA`},
		{"not closed", `]}`, `]`},
		{"something behind", `]}`, `]}{}`},
	} {
		text := strings.Replace(goldenManifest, c.old, c.new, 1)
		if text == goldenManifest {
			t.Fatalf("%s: nothing replaced", c.name)
		}
		if m, err := ParseManifest([]byte(text)); !errors.Is(err, ErrManifest) || !reflect.DeepEqual(m, Manifest{}) {
			t.Errorf("%s: got %+v, %v, want ErrManifest", c.name, m, err)
		}
	}
	for _, text := range []string{"", "null", "[]", "{}"} {
		if _, err := ParseManifest([]byte(text)); !errors.Is(err, ErrManifest) {
			t.Errorf("%q: got %v, want ErrManifest", text, err)
		}
	}
}

func TestParseID(t *testing.T) {
	id := ID{31: 255}
	if got, err := ParseID(id.String()); err != nil || got != id {
		t.Errorf("got %v, %v, want %v", got, err, id)
	}
	for _, text := range []string{"", "AQ", "..", strings.Repeat("A", 44), strings.Repeat("A", 42) + "B", strings.Repeat("é", 43)} {
		if got, err := ParseID(text); !errors.Is(err, ErrNotFound) || got != (ID{}) {
			t.Errorf("%q: got %v, %v, want ErrNotFound", text, got, err)
		}
	}
}

// FuzzParseManifest expects that what is accepted has one canonical JSON.
func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(goldenManifest))
	f.Add([]byte(strings.Replace(goldenManifest, `"keys":10`, `"keys":9223372036854775807`, 1)))
	f.Add([]byte(`{"shard_bits":32,"shards":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseManifest(text)
		if err != nil {
			return
		}
		once, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseManifest(once)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("got %+v, %v, want %+v", again, err, m)
		}
		if twice, _ := json.Marshal(again); !bytes.Equal(twice, once) {
			t.Errorf("got %s, want %s", twice, once)
		}
	})
}
