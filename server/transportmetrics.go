package server

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Why a connection was closed before its peer or a timeout ended it.
const (
	closedForTotal  = "total"   // it waited, and the listener had as many as it may have
	closedForSource = "source"  // it waited, and its source had as many as it may have
	closedRefused   = "refused" // it was new, and none of those that were in its way waited
	closedStalled   = "stalled" // its peer did not read
)

// connectionMeter counts the connections of one listener.
type connectionMeter struct {
	gauge   prometheus.Gauge
	counter *prometheus.CounterVec
}

// connectionsOf returns the meter of the listener of a name.
func (m *Metrics) connectionsOf(name string) connectionMeter {
	open := registered(m.registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kith_connections", Help: "Open connections by listener.",
	}, []string{"listener"}))
	closed := registered(m.registry, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kith_connections_closed_total",
		Help: "Connections closed early: waiting ones over the limit of the listener (total) or of one address (source), new ones for which none of these waited (refused), and those whose peer did not read (stalled).",
	}, []string{"listener", "why"}))
	return connectionMeter{open.WithLabelValues(name), closed.MustCurryWith(prometheus.Labels{"listener": name})}
}

func (m connectionMeter) open(n int) { m.gauge.Set(float64(n)) }

func (m connectionMeter) closed(why string) { m.counter.WithLabelValues(why).Inc() }

// CertificateExpires tells when the certificate of a listener expires, for TLSFiles.OnLoad.
func (m *Metrics) CertificateExpires(listener string, at time.Time) {
	registered(m.registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kith_certificate_expires_seconds", Help: "When the certificate of a listener expires, seconds since 1970.",
	}, []string{"listener"})).WithLabelValues(listener).Set(float64(at.Unix()))
}

// registered returns the collector of the registry that is the same as c, which is c if there was none.
func registered[C prometheus.Collector](registry *prometheus.Registry, c C) C {
	err := registry.Register(c)
	if before, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return before.ExistingCollector.(C)
	}
	if err != nil {
		panic(err) // two collectors of one name that are not the same
	}
	return c
}
