package main

import (
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto/ristretto"
)

// TestEngineIsTold starts servers with the engine of the processor and with the portable one, as the environment says.
func TestEngineIsTold(t *testing.T) {
	for setting, want := range map[string]string{"": ristretto.Engines()[0], "portable": "portable"} {
		t.Setenv("KITH_ENGINE", setting)
		s := serve(t, t.TempDir(), "--ephemeral", "--admin", "127.0.0.1:0")
		if !strings.Contains(s.log.String(), " engine="+want+"\n") {
			t.Errorf("KITH_ENGINE=%q: the log does not tell engine=%s:\n%s", setting, want, s.log)
		}
		if sample := `kith_engine_info{engine="` + want + `"} 1` + "\n"; !strings.Contains(s.metrics(t), sample) {
			t.Errorf("KITH_ENGINE=%q: /metrics lacks %s", setting, sample)
		}
	}
}
