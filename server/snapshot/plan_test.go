package snapshot

import (
	"maps"
	"reflect"
	"testing"
	"time"
)

func storedPlan() map[string]string {
	return map[string]string{
		"build": "N", "created": "1795561200000", "shard_bits": "1", "since": "9.4", "malformed": "2",
		"s1": ID{1}.String() + " 10 80",
	}
}

func TestParsePlan(t *testing.T) {
	want := &plan{
		name: "N", created: 1795561200000, shardBits: 1, since: Position{9, 4}, malformed: 2,
		done: map[uint32]Shard{1: {1, ID{1}, 10, 80}}, resumed: true,
	}
	if got, ok := parsePlan(storedPlan()); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %t, want %+v", got, ok, want)
	}
	for name, change := range map[string][2]string{
		"abandoned":           {"build", ""},
		"no time":             {"created", "0"},
		"time that is none":   {"created", "now"},
		"shard bits":          {"shard_bits", "33"},
		"position":            {"since", "4"},
		"malformed":           {"malformed", "-1"},
		"shard of no number":  {"s1", ID{1}.String() + " ten 80"},
		"shard of no id":      {"s1", "id 10 80"},
		"shard without bytes": {"s1", ID{1}.String() + " 10"},
		"shard out of range":  {"s2", ID{1}.String() + " 10 80"},
		"shard twice":         {"s01", ID{1}.String() + " 10 80"},
		"field that is none":  {"other", "1"},
	} {
		fields := maps.Clone(storedPlan())
		fields[change[0]] = change[1]
		if got, ok := parsePlan(fields); ok {
			t.Errorf("%s: got %+v, want none", name, got)
		}
	}
	for field := range storedPlan() {
		fields := storedPlan()
		delete(fields, field)
		if _, ok := parsePlan(fields); ok != (field == "s1") {
			t.Errorf("without %s: got %t", field, ok)
		}
	}
	if _, ok := parsePlan(nil); ok {
		t.Error("no build was taken for one")
	}
}

func TestRate(t *testing.T) {
	start := time.UnixMilli(1795561200000)
	for _, c := range []struct {
		name string
		add  map[time.Duration]int // bytes by time after the beginning, in any order within a day
		at   time.Duration
		want int64
	}{
		{"nothing", nil, time.Hour, 0},
		{"a burst in the first minute", map[time.Duration]int{time.Minute: 900}, time.Minute, 24 * 900},
		{"half a day", map[time.Duration]int{time.Hour: 900}, 12 * time.Hour, 1800},
		{"just a day", map[time.Duration]int{time.Hour: 900}, 24 * time.Hour, 900},
		{"a day and a half", map[time.Duration]int{time.Hour: 900, 30 * time.Hour: 90}, 36 * time.Hour, 90 + 450},
		{"two days", map[time.Duration]int{time.Hour: 900, 30 * time.Hour: 90}, 48 * time.Hour, 90},
		{"idle for a day", map[time.Duration]int{time.Hour: 900}, 60 * time.Hour, 0},
		{"a clock that was set back", map[time.Duration]int{time.Hour: 900}, -time.Hour, 24 * 900},
	} {
		r := newRate(start)
		for _, when := range []time.Duration{time.Minute, time.Hour, 30 * time.Hour} {
			if n := c.add[when]; n > 0 {
				r = r.add(start.Add(when), n)
			}
		}
		if got := r.perDay(start.Add(c.at)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}
