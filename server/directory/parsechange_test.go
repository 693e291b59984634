package directory

import (
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

func message(id, order, tag, version string) redis.XMessage {
	return redis.XMessage{ID: id, Values: map[string]any{"o": order, "t": tag, "v": version}}
}

func TestParseChange(t *testing.T) {
	tag := strings.Repeat("T", 16)
	number, change, err := parseChange(message("17-0", "+", tag, "9007199254740991"))
	want := Change{Visible: true, Version: VersionEnd - 1, Tag: [16]byte([]byte(tag))}
	if number != 17 || change != want || err != nil {
		t.Errorf("got %d, %v, %v, want 17, %v", number, change, err, want)
	}
	extra := message("1-0", "+", tag, "1")
	extra.Values["x"] = ""
	for name, m := range map[string]redis.XMessage{
		"no fields":       {ID: "1-0"},
		"a field more":    extra,
		"id of a clock":   message("1700000000000-1", "+", tag, "1"),
		"id without dash": message("1", "+", tag, "1"),
		"id 0":            message("0-0", "+", tag, "1"),
		"id 2^53":         message("9007199254740992-0", "+", tag, "1"),
		"order":           message("1-0", "*", tag, "1"),
		"order empty":     message("1-0", "", tag, "1"),
		"tag short":       message("1-0", "+", tag[1:], "1"),
		"tag long":        message("1-0", "+", tag+"T", "1"),
		"version 0":       message("1-0", "+", tag, "0"),
		"version padded":  message("1-0", "+", tag, "01"),
		"version signed":  message("1-0", "+", tag, "+1"),
		"version 2^53":    message("1-0", "+", tag, "9007199254740992"),
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
	f.Add("17-0", "+", strings.Repeat("T", 16), "7")
	f.Add("1-1", "-", strings.Repeat("T", 15), "07")
	f.Fuzz(func(t *testing.T, id, order, tag, version string) {
		number, change, err := parseChange(message(id, order, tag, version))
		if err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Fatalf("got %v, want ErrRecord", err)
			}
			return
		}
		if changeID(number) != id || (order == "+") != change.Visible || string(change.Tag[:]) != tag || decimal(change.Version) != version {
			t.Fatalf("got %d, %v of another entry", number, change)
		}
	})
}
