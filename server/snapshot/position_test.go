package snapshot

import (
	"errors"
	"testing"
)

func TestPositionText(t *testing.T) {
	for text, want := range map[string]Position{
		"1.0":                               {1, 0},
		"1795561200000.42":                  {1795561200000, 42},
		"9007199254740991.9007199254740991": {1<<53 - 1, 1<<53 - 1},
	} {
		got, err := ParsePosition(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for name, text := range map[string]string{
		"nothing":               "",
		"no point":              "1",
		"no generation":         ".1",
		"no segment":            "1.",
		"a second point":        "1.2.3",
		"generation 0":          "0.1",
		"leading zero":          "01.1",
		"leading zero behind":   "1.01",
		"sign":                  "+1.1",
		"minus":                 "1.-1",
		"space":                 "1. 1",
		"hexadecimal":           "1.a",
		"underscore":            "1_0.1",
		"2^53":                  "9007199254740992.1",
		"2^53 behind":           "1.9007199254740992",
		"2^64":                  "18446744073709551616.1",
		"other digits":          "١.١",
		"a stream id":           "1-1",
		"a line break behind":   "1.1\n",
		"a character before it": "x1.1",
	} {
		if got, err := ParsePosition(text); !errors.Is(err, ErrPosition) || got != (Position{}) {
			t.Errorf("%s: got %v, %v, want ErrPosition", name, got, err)
		}
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, text := range []string{"1.0", "1795561200000.42", "01.1", "1.9007199254740992", "", ".", "1.+1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePosition(text)
		if err == nil && p.String() != text {
			t.Errorf("got %q, want %q", p.String(), text)
		}
	})
}
