package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto/secret"
)

type key struct{ secret.Value }

// leaks reports whether text holds the byte 0xA5 of the test secret in a form that fmt or JSON would give it.
func leaks(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(lower, "a5") || strings.Contains(lower, "165") || strings.Contains(lower, "paw") ||
		strings.Contains(text, "\xa5")
}

func TestValueIsNeverPrinted(t *testing.T) {
	var k key
	copy(k.Value[:], bytes.Repeat([]byte{0xa5}, secret.Size))
	if !leaks(fmt.Sprintf("%x", k.Value[:])) {
		t.Fatal("the checker does not see a leak where there is one")
	}
	holder := struct {
		K key
		P *key
	}{k, &k}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q", "%o", "%b", "%c", "%U"} {
		for name, v := range map[string]any{"value": k, "pointer": &k, "slice": []key{k}} {
			if got := fmt.Sprintf(verb, v); leaks(got) || !strings.Contains(got, secret.Placeholder) {
				t.Errorf("%s of a %s printed %q, want the placeholder", verb, name, got)
			}
		}
	}
	if got := fmt.Sprintf("%v", holder.K); leaks(got) {
		t.Errorf("field printed %q", got)
	}

	var logged bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(h).Info("test", "k", k, "p", &k, "h", holder)
	}
	if leaks(strings.ReplaceAll(logged.String(), "time", "")) && !strings.Contains(logged.String(), secret.Placeholder) {
		t.Errorf("slog wrote %q", logged.String())
	}
	if strings.Contains(logged.String(), "165 165") || strings.Contains(logged.String(), "a5a5") {
		t.Errorf("slog wrote the secret: %q", logged.String())
	}
	if _, err := json.Marshal(holder); !errors.Is(err, secret.ErrMarshal) {
		t.Errorf("json.Marshal: got error %v, want ErrMarshal", err)
	}
}

func TestEqualAndWipe(t *testing.T) {
	a, b := secret.Value{1}, secret.Value{1}
	if !a.Equal(b) {
		t.Error("equal values compare unequal")
	}
	b[31] = 1
	if a.Equal(b) {
		t.Error("values that differ in the last byte compare equal")
	}
	out := a.Bytes()
	a.Wipe()
	if a != (secret.Value{}) {
		t.Error("Wipe left bytes behind")
	}
	if out[0] != 1 {
		t.Error("Bytes shares memory with the value")
	}
}
