package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kith-project/kith/server/token"
)

// WatchIssuer shows how the keys of an issuer of tokens are, by the issuer's name, whenever metrics are read. It must be
// called once for each.
func (m *Metrics) WatchIssuer(name string, state func() token.KeysState) {
	for _, gauge := range []struct {
		name, help string
		value      func(token.KeysState) float64
	}{
		{"kith_issuer_keys", "Keys that tokens of an issuer may be signed with.", func(s token.KeysState) float64 { return float64(s.Usable) }},
		{"kith_issuer_keys_ignored", "Keys of an issuer that are of other types or for other uses.", func(s token.KeysState) float64 { return float64(s.Ignored) }},
		{"kith_issuer_keys_age_seconds", "How long ago the keys of an issuer were last read.", func(s token.KeysState) float64 { return time.Since(s.Read).Seconds() }},
		{"kith_issuer_failed_reads", "Reads of an issuer's keys that have failed since.", func(s token.KeysState) float64 { return float64(s.Failures) }},
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: gauge.name, Help: gauge.help, ConstLabels: prometheus.Labels{"issuer": name},
		}, func() float64 { return gauge.value(state()) }))
	}
}
