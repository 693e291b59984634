package server

import (
	"net"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// peer is a connection from an address that knows whether it is closed.
type peer struct {
	net.Conn
	from   net.Addr
	closed bool
}

func (p *peer) RemoteAddr() net.Addr { return p.from }

func (p *peer) Close() error {
	p.closed = true
	return nil
}

func peerOf(address string) *peer {
	return &peer{from: &net.TCPAddr{IP: net.ParseIP(address), Port: 1}}
}

func newTracked(limits Connections) (*tracked, *Metrics) {
	s := &Server{Config: Config{Metrics: NewMetrics()}}
	return s.track(Listener{Connections: limits}).(*tracked), s.Metrics
}

// sampled returns the sum of the samples of a metric that have a label of a value.
func sampled(t testing.TB, m *Metrics, name, value string) float64 {
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		for _, sample := range family.GetMetric() {
			for _, label := range sample.GetLabel() {
				if family.GetName() == name && label.GetValue() == value {
					sum += sample.GetGauge().GetValue() + sample.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

// TestRoomForOneMore fills a listener, and looks at which connection goes for one more.
func TestRoomForOneMore(t *testing.T) {
	const a, b, c = "192.0.2.1", "192.0.2.2", "192.0.2.3"
	tests := []struct {
		name   string
		limits Connections
		open   []string // sources of the connections that are open
		active []int    // those with a request under way
		next   string   // where one more comes from
		goes   int      // which of those that are open goes, -1 for none
		why    string   // for the metric, "" if there was room
		let    bool     // whether the one more is let in
	}{
		{"room", Connections{Total: 4}, []string{a, a, a}, nil, b, -1, "", true},
		{"the longest waiting goes", Connections{Total: 3}, []string{a, b, a}, nil, c, 0, closedForTotal, true},
		{"one with a request stays", Connections{Total: 3}, []string{a, b, a}, []int{0, 1}, c, 2, closedForTotal, true},
		{"all have requests", Connections{Total: 2}, []string{a, b}, []int{0, 1}, c, -1, closedRefused, false},
		{"the source's own goes", Connections{PerSource: 2}, []string{b, a, a}, nil, a, 1, closedForSource, true},
		{"the source's all have requests", Connections{PerSource: 2}, []string{b, a, a}, []int{1, 2}, a, -1, closedRefused, false},
		{"another source", Connections{PerSource: 2}, []string{a, a}, nil, b, -1, "", true},
		{"no limit by source", Connections{PerSource: -1, Total: 300}, make([]string, 299), nil, a, -1, "", true},
		{"an IPv6 network is one source", Connections{PerSource: 1}, []string{"2001:db8::1"}, nil, "2001:db8::2", 0, closedForSource, true},
		{"another network is not", Connections{PerSource: 1}, []string{"2001:db8::1"}, nil, "2001:db8:0:1::1", -1, "", true},
		{"IPv4 written as IPv6 is the same", Connections{PerSource: 1}, []string{a}, nil, "::ffff:" + a, 0, closedForSource, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, metrics := newTracked(test.limits)
			var peers []*peer
			var conns []*conn
			for _, from := range test.open {
				peers = append(peers, peerOf(from))
				conns = append(conns, l.admit(peers[len(peers)-1]))
			}
			for _, i := range test.active {
				connState(conns[i], http.StateActive)
			}
			if got := l.admit(peerOf(test.next)) != nil; got != test.let {
				t.Errorf("one more is let in: got %t, want %t", got, test.let)
			}
			for i, p := range peers {
				if p.closed != (i == test.goes) {
					t.Errorf("connection %d of %s: closed %t", i, test.open[i], p.closed)
				}
			}
			if got := sampled(t, metrics, "kith_connections", "unnamed"); got != float64(l.open) {
				t.Errorf("the metric says that %v are open, want %d", got, l.open)
			}
			for _, why := range []string{closedForTotal, closedForSource, closedRefused} {
				want := 0.0
				if why == test.why {
					want = 1
				}
				if got := sampled(t, metrics, "kith_connections_closed_total", why); got != want {
					t.Errorf("closed for %s: got %v, want %v", why, got, want)
				}
			}
		})
	}
}

// TestConnectionsAreCounted does what peers do in any order, and compares with a count.
func TestConnectionsAreCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Connections{Total: rapid.IntRange(1, 6).Draw(t, "total"), PerSource: rapid.IntRange(1, 3).Draw(t, "per source")}
		l, _ := newTracked(limits)
		type open struct {
			*conn
			active bool
		}
		var all []*open
		// with does something with one of the connections, if there is any.
		with := func(do func(c *open)) func(*rapid.T) {
			return func(t *rapid.T) {
				if len(all) > 0 {
					do(rapid.SampledFrom(all).Draw(t, "connection"))
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"open": func(t *rapid.T) {
				address := rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}).Draw(t, "from")
				if c := l.admit(peerOf(address)); c != nil {
					all = append(all, &open{conn: c})
				}
			},
			"request": with(func(c *open) {
				c.active = c.active || !c.conn.Conn.(*peer).closed
				connState(c.conn, http.StateActive)
			}),
			"answer": with(func(c *open) {
				c.active = false
				connState(c.conn, http.StateIdle)
			}),
			"close": with(func(c *open) {
				c.active = false
				_ = c.Close()
			}),
			"": func(t *rapid.T) {
				total, waiting, bySource := 0, 0, make(map[any]int)
				for _, c := range all {
					closed := c.conn.Conn.(*peer).closed
					if closed && c.active {
						t.Fatal("a connection with a request under way was closed for another")
					}
					if closed {
						continue
					}
					total++
					bySource[c.from]++
					if !c.active {
						waiting++
					}
				}
				if l.open != total || l.waiting.Len() != waiting || len(l.sources) != len(bySource) || total > limits.Total {
					t.Fatalf("got %d open, %d waiting, %d sources; want %d, %d, %d, and at most %d open", l.open, l.waiting.Len(), len(l.sources), total, waiting, len(bySource), limits.Total)
				}
				for from, s := range l.sources {
					if s.open != bySource[from] || s.open > limits.PerSource {
						t.Fatalf("got %d of one source, want %d, and at most %d", s.open, bySource[from], limits.PerSource)
					}
				}
			},
		})
	})
}

func TestConnectionsSetInPart(t *testing.T) {
	got := Connections{PerSource: -1}.withDefaults()
	if want := (Connections{DefaultConnections.Total, -1, DefaultConnections.Streams}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	hs := newHTTPServer(Listener{Connections: Connections{Streams: 7}})
	if hs.HTTP2.MaxConcurrentStreams != 7 {
		t.Errorf("got %d streams, want 7", hs.HTTP2.MaxConcurrentStreams)
	}
}

// TestMetersOfOneName shows that a server can be run again.
func TestMetersOfOneName(t *testing.T) {
	m := NewMetrics()
	m.connectionsOf("public").open(1)
	m.connectionsOf("public").open(2)
	m.CertificateExpires("public", time.Unix(1, 0))
	m.CertificateExpires("public", time.Unix(2, 0))
	for _, name := range []string{"kith_connections", "kith_certificate_expires_seconds"} {
		if got := sampled(t, m, name, "public"); got != 2 {
			t.Errorf("%s: got %v, want 2", name, got)
		}
	}
}
