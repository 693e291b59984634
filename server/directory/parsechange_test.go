package directory

import (
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

func message(id, change string) redis.XMessage {
	return redis.XMessage{ID: id, Values: map[string]any{"c": change}}
}

func TestParseChange(t *testing.T) {
	tag := strings.Repeat("T", 16)
	for first, want := range map[string]Change{
		"\x3f": {Visible: true, Version: VersionEnd - 1, Tag: [16]byte([]byte(tag))},
		"\x5f": {Version: VersionEnd - 1, Tag: [16]byte([]byte(tag))},
		"\x7f": {Version: VersionEnd - 1, Tag: [16]byte([]byte(tag))},
	} {
		number, change, err := parseChange(message("17-0", first+"\xff\xff\xff\xff\xff\xff"+tag))
		if number != 17 || change != want || err != nil {
			t.Errorf("%x: got %d, %v, %v, want 17, %v", first, number, change, err, want)
		}
	}
	const one = "\x20\x00\x00\x00\x00\x00\x01"
	extra := message("1-0", one+tag)
	extra.Values["x"] = ""
	for name, m := range map[string]redis.XMessage{
		"no fields":       {ID: "1-0"},
		"another field":   {ID: "1-0", Values: map[string]any{"o": one + tag}},
		"a field more":    extra,
		"id of a clock":   message("1700000000000-1", one+tag),
		"id without dash": message("1", one+tag),
		"id 0":            message("0-0", one+tag),
		"id 2^53":         message("9007199254740992-0", one+tag),
		"empty":           message("1-0", ""),
		"format 0":        message("1-0", "\x00"+one[1:]+tag),
		"format 4":        message("1-0", "\x80"+one[1:]+tag),
		"tag short":       message("1-0", one+tag[1:]),
		"tag long":        message("1-0", one+tag+"T"),
		"version 0":       message("1-0", one[:6]+"\x00"+tag),
	} {
		t.Run(name, func(t *testing.T) {
			if number, change, err := parseChange(m); !errors.Is(err, ErrRecord) || number != 0 || change != (Change{}) {
				t.Errorf("got %d, %v, %v, want ErrRecord", number, change, err)
			}
		})
	}
}

// FuzzChange holds that what parses is exactly what apply.lua would add.
func FuzzChange(f *testing.F) {
	f.Add("17-0", "\x20\x00\x00\x00\x00\x00\x01"+strings.Repeat("T", 16))
	f.Add("1-1", "\x60\x00\x00\x00\x00\x00\x07"+strings.Repeat("T", 15))
	f.Fuzz(func(t *testing.T, id, text string) {
		number, change, err := parseChange(message(id, text))
		if err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Fatalf("got %v, want ErrRecord", err)
			}
			return
		}
		format := Format(text[0] >> 5)
		again := string(append(appendHeader(nil, format, change.Version), change.Tag[:]...))
		if changeID(number) != id || again != text || change.Visible != (format == Visible) || format < Visible || format > Deleted {
			t.Fatalf("got %d, %v of another entry", number, change)
		}
	})
}
