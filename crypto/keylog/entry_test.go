package keylog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
)

const (
	epochText = "kith-keylog/1\nevent epoch\nepoch 2\nsuite ristretto255-SHA512\n" +
		"public-key oqKioqKioqKioqKioqKioqKioqKioqKioqKioqKioqI=\ntime 2026-11-25T01:02:02.004Z\n"
	abortedText = "kith-keylog/1\nevent aborted\nepoch 2\ntime 2026-11-25T01:02:02.900Z\n"
)

func TestEntryText(t *testing.T) {
	inAnotherZone := epochEntry(2, 0xa2)
	inAnotherZone.Time = inAnotherZone.Time.In(time.FixedZone("somewhere", 5*3600))
	finer := epochEntry(2, 0xa2)
	finer.Time = finer.Time.Add(999 * time.Microsecond)
	abortedWithKey := abortedEntry(2)
	abortedWithKey.Suite, abortedWithKey.PublicKey = "x", [32]byte{1}
	tests := []struct {
		name  string
		entry keylog.Entry
		text  string
		back  keylog.Entry
	}{
		{"epoch", epochEntry(2, 0xa2), epochText, epochEntry(2, 0xa2)},
		{"aborted", abortedEntry(2), abortedText, abortedEntry(2)},
		{"time of another zone", inAnotherZone, epochText, epochEntry(2, 0xa2)},
		{"time finer than milliseconds", finer, epochText, epochEntry(2, 0xa2)},
		{"aborted with a key", abortedWithKey, abortedText, abortedEntry(2)},
		{"highest epoch", epochEntry(1<<32-1, 0xa2),
			strings.NewReplacer("epoch 2\n", "epoch 4294967295\n", "01:02:02", epochEntry(1<<32-1, 0).Time.Format("15:04:05"),
				"2026-11-25", epochEntry(1<<32-1, 0).Time.Format("2006-01-02")).Replace(epochText), epochEntry(1<<32-1, 0xa2)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.entry.String(); got != test.text {
				t.Errorf("String: got %q, want %q", got, test.text)
			}
			if got, err := keylog.ParseEntry(test.text); err != nil || got != test.back {
				t.Errorf("ParseEntry: got %+v and error %v, want %+v", got, err, test.back)
			}
		})
	}
}

func TestParseEntryRefuses(t *testing.T) {
	replace := func(old, with string) string {
		t.Helper()
		out := strings.Replace(epochText, old, with, 1)
		if out == epochText {
			t.Fatalf("nothing to replace: %q", old)
		}
		return out
	}
	const key = "oqKioqKioqKioqKioqKioqKioqKioqKioqKioqKioqI="
	tests := map[string]string{
		"nothing":                       "",
		"one newline":                   "\n",
		"another version":               replace("kith-keylog/1", "kith-keylog/2"),
		"no last newline":               strings.TrimSuffix(epochText, "\n"),
		"a newline more":                epochText + "\n",
		"a newline before":              "\n" + epochText,
		"another line":                  epochText + "more x\n",
		"itself twice":                  epochText + epochText,
		"CRLF":                          strings.ReplaceAll(epochText, "\n", "\r\n"),
		"CR in the key":                 replace(key, key[:20]+"\r"+key[20:]),
		"unknown event":                 replace("event epoch", "event retired"),
		"no event":                      replace("event epoch", "event "),
		"event in capitals":             replace("event epoch", "event Epoch"),
		"two spaces":                    replace("event epoch", "event  epoch"),
		"no space":                      replace("event epoch", "eventepoch"),
		"space at an end":               replace("event epoch\n", "event epoch \n"),
		"epoch 0":                       replace("epoch 2", "epoch 0"),
		"epoch with a leading zero":     replace("epoch 2", "epoch 02"),
		"epoch with a sign":             replace("epoch 2", "epoch +2"),
		"negative epoch":                replace("epoch 2", "epoch -2"),
		"epoch in hexadecimal":          replace("epoch 2", "epoch 0x2"),
		"epoch over 32 bits":            replace("epoch 2", "epoch 4294967296"),
		"no epoch":                      replace("epoch 2", "epoch "),
		"no suite":                      replace("suite ristretto255-SHA512", "suite "),
		"suite with a space":            replace("suite ristretto255-SHA512", "suite ristretto255 SHA512"),
		"suite outside of ASCII":        replace("suite ristretto255-SHA512", "suite ristretto255–SHA512"),
		"suite too long":                replace("ristretto255-SHA512", strings.Repeat("s", 65)),
		"key of 31 bytes":               replace(key, "oqKioqKioqKioqKioqKioqKioqKioqKioqKioqKiog=="),
		"key of 33 bytes":               replace(key, "oqKioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKi"),
		"key without padding":           replace(key, strings.TrimSuffix(key, "=")),
		"key with bits after its end":   replace(key, "oqKioqKioqKioqKioqKioqKioqKioqKioqKioqKioqJ="),
		"key in base64url":              replace(key, strings.Replace(key, "o", "_", 1)),
		"no key":                        replace(key, ""),
		"time without milliseconds":     replace("02.004Z", "02Z"),
		"time with microseconds":        replace("02.004Z", "02.004000Z"),
		"time with a comma":             replace("02.004Z", "02,004Z"),
		"time with an offset":           replace("02.004Z", "02.004+00:00"),
		"time without a zone":           replace("02.004Z", "02.004"),
		"time with a small z":           replace("02.004Z", "02.004z"),
		"time with a space":             replace("25T01", "25 01"),
		"month 13":                      replace("2026-11", "2026-13"),
		"February 30":                   replace("2026-11-25", "2026-02-30"),
		"second 60":                     replace("01:02:02", "01:02:60"),
		"year of five digits":           replace("2026-", "12026-"),
		"negative year":                 replace("2026-", "-026-"),
		"lines in another order":        replace("event epoch\nepoch 2\n", "epoch 2\nevent epoch\n"),
		"a line twice":                  replace("epoch 2\n", "epoch 2\nepoch 2\n"),
		"aborted with suite and key":    replace("event epoch", "event aborted"),
		"epoch without suite and key":   strings.Replace(abortedText, "event aborted", "event epoch", 1),
		"aborted with another line":     abortedText + "reason none\n",
		"aborted without time":          "kith-keylog/1\nevent aborted\nepoch 2\n",
		"a zero byte":                   epochText[:30] + "\x00" + epochText[31:],
		"invalid UTF-8":                 epochText[:40] + "\xff" + epochText[41:],
		"a time after it in JSON quote": "\"" + epochText + "\"",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := keylog.ParseEntry(text); err != keylog.ErrEntry || got != (keylog.Entry{}) {
				t.Errorf("got %+v and error %v, want ErrEntry", got, err)
			}
		})
	}
	if _, err := keylog.ParseEntry(epochText + strings.Repeat(" ", keylog.MaxEntry)); err != keylog.ErrTooLarge {
		t.Errorf("a text over MaxEntry: got %v, want ErrTooLarge", err)
	}
	if _, err := keylog.ParseEntry(replace("ristretto255-SHA512", strings.Repeat("s", 64))); err != nil {
		t.Errorf("a suite of 64 letters: got %v, want no error", err)
	}
}

// TestEveryAlteredByteOfAnEntryTells changes each byte: what still parses is another entry, whose text is the altered one.
func TestEveryAlteredByteOfAnEntryTells(t *testing.T) {
	for _, text := range []string{epochText, abortedText} {
		original, err := keylog.ParseEntry(text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range text {
			for _, flip := range []byte{1, 2, 0x20, 0x80} {
				altered := text[:i] + string([]byte{text[i] ^ flip}) + text[i+1:]
				got, err := keylog.ParseEntry(altered)
				if err == nil && (got == original || got.String() != altered) {
					t.Errorf("byte %d xor %#x: got %+v, which is not what it says", i, flip, got)
				}
			}
		}
	}
}
