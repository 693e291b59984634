package snapshot

import (
	"errors"
	"testing"
	"time"

	"github.com/kith-project/kith/server/directory"
)

func TestConfig(t *testing.T) {
	layout := directory.Layout{Epoch: 1, PartitionBits: 2, BucketBits: 4}
	for name, c := range map[string]Config{
		"all defaults":     {},
		"interval alone":   {Interval: time.Hour},
		"all set":          {time.Hour, 90 * time.Minute, time.Hour, time.Second, time.Hour, 10, time.Minute, nil, nil, nil, nil},
		"the least values": {Interval: 3 * time.Millisecond, MaxAge: time.Second, Lease: 3 * time.Millisecond},
	} {
		b, err := NewBuilder(nil, nil, layout, c)
		if err != nil {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		if b.config.MaxAge <= b.config.Interval || b.config.MaxAge%time.Second != 0 {
			t.Errorf("%s: got a maximum age of %v at an interval of %v", name, b.config.MaxAge, b.config.Interval)
		}
	}
	for name, c := range map[string]Config{
		"age of an interval":  {Interval: time.Hour, MaxAge: time.Hour},
		"age below a second":  {Interval: 10 * time.Millisecond},
		"negative interval":   {Interval: -1},
		"negative grace":      {Grace: -time.Hour},
		"negative segments":   {MaxSegments: -1},
		"lease of nothing":    {Lease: time.Nanosecond},
		"changes all at once": {ChangesEvery: time.Nanosecond},
	} {
		if b, err := NewBuilder(nil, nil, layout, c); !errors.Is(err, ErrConfig) || b != nil {
			t.Errorf("%s: got %v, want ErrConfig", name, err)
		}
	}
	if _, err := NewBuilder(nil, nil, directory.Layout{}, Config{}); !errors.Is(err, directory.ErrLayout) {
		t.Errorf("no layout: got %v, want ErrLayout", err)
	}
}
