package ristretto

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	fast := engine{name: "fast"}
	for _, c := range []struct {
		setting   string
		available []engine
		want      string
		err       error
	}{
		{"", []engine{portable}, "portable", nil},
		{"", []engine{fast, portable}, "fast", nil},
		{"portable", []engine{fast, portable}, "portable", nil},
		{"fast", []engine{fast, portable}, "fast", nil},
		{"fast", []engine{portable}, "portable", ErrEngine},
		{"Portable", []engine{fast, portable}, "fast", ErrEngine},
	} {
		if got, err := choose(c.setting, c.available); got.name != c.want || err != c.err {
			t.Errorf("KITH_ENGINE=%q: got %s and %v, want %s and %v", c.setting, got.name, err, c.want, c.err)
		}
	}
}

// TestEngineOfEnvironment runs itself with KITH_ENGINE set, by the emulator that KITH_TEST_EMULATOR names if the tests run in one.
func TestEngineOfEnvironment(t *testing.T) {
	if os.Getenv("KITH_ENGINE_TEST") != "" {
		h := NewHasher("environment")
		h.Scalars(make([]Scalar, expanderGroup), make([][]byte, expanderGroup))
		t.Logf("engine %s, %v, messages together %t", Engine(), CheckEngine(), h.expander != nil)
		return
	}
	for setting, want := range map[string]string{
		"portable": "engine portable, <nil>, messages together false",
		"none":     "engine " + engines()[0].name + ", " + ErrEngine.Error(),
	} {
		command := append(strings.Fields(os.Getenv("KITH_TEST_EMULATOR")), os.Args[0], "-test.run=^TestEngineOfEnvironment$", "-test.v")
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = append(os.Environ(), "KITH_ENGINE_TEST=1", "KITH_ENGINE="+setting)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("KITH_ENGINE=%s: %v, got %s, want %q", setting, err, out, want)
		}
	}
}
