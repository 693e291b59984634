package server

import (
	"cmp"
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Connections bound what peers hold open at a listener. 0 means the default.
type Connections struct {
	// Total is how many connections may be open; default 4096. One more takes the place of the one that has waited longest
	// without a request under way, and is closed if there is none such. So a flood of connections that ask nothing, or
	// never finish asking, does not keep others out.
	Total int
	// PerSource is how many of them may be of one address, or of one IPv6 network of 64 bits; default 256, below 0 for no
	// limit, which is right behind a proxy. One more takes the place of one of the same source.
	PerSource int
	// Streams is how many requests one connection of HTTP/2 may have under way; default 100.
	Streams int
}

// DefaultConnections are the bounds where none are configured.
var DefaultConnections = Connections{Total: 4096, PerSource: 256, Streams: 100}

func (c Connections) withDefaults() Connections {
	return Connections{
		Total:     cmp.Or(c.Total, DefaultConnections.Total),
		PerSource: cmp.Or(c.PerSource, DefaultConnections.PerSource),
		Streams:   cmp.Or(c.Streams, DefaultConnections.Streams),
	}
}

// tracked is a listener that knows its open connections.
type tracked struct {
	net.Listener
	limits Connections
	write  time.Duration // that a single write may take
	meter  connectionMeter

	mu      sync.Mutex
	open    int
	waiting list.List              // of *conn without a request under way, the longest waiting first
	sources map[netip.Addr]*source // those that have connections open
}

// source is where connections come from.
type source struct {
	open    int
	waiting list.List
}

// conn is a connection of a tracked listener.
type conn struct {
	net.Conn
	of   *tracked
	from netip.Addr

	// Of the listener's mutex. The elements are nil while a request is under way.
	waiting, waitingOfSource *list.Element
	gone                     bool
}

// track puts the bounds of a listener around it.
func (s *Server) track(l Listener) net.Listener {
	return &tracked{
		Listener: l.Listener, limits: l.Connections.withDefaults(), write: l.Timeouts.withDefaults().Write,
		meter: s.Metrics.connectionsOf(cmp.Or(l.Name, "unnamed")), sources: make(map[netip.Addr]*source),
	}
}

// Accept returns the next connection that there is room for.
func (t *tracked) Accept() (net.Conn, error) {
	for {
		inner, err := t.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := t.admit(inner); c != nil {
			return c, nil
		}
		_ = inner.Close()
	}
}

// admit makes room for a connection, or returns nil.
func (t *tracked) admit(inner net.Conn) *conn {
	c := &conn{Conn: inner, of: t, from: sourceOf(inner.RemoteAddr())}
	t.mu.Lock()
	out, limit := t.inTheWay(c.from)
	if limit != "" && out == nil {
		t.mu.Unlock()
		t.meter.closed(closedRefused)
		return nil
	}
	if out != nil {
		t.remove(out)
	}
	t.add(c)
	t.mu.Unlock()
	if out != nil {
		t.meter.closed(limit)
		_ = out.Conn.Close()
	}
	return c
}

// inTheWay returns which connection has to go for another of a source, or nil, and by which limit, or "". A limit and no
// connection mean that there is no room.
func (t *tracked) inTheWay(from netip.Addr) (*conn, string) {
	if s := t.sources[from]; s != nil && t.limits.PerSource >= 0 && s.open >= t.limits.PerSource {
		return longest(&s.waiting), closedForSource
	}
	if t.open >= t.limits.Total {
		return longest(&t.waiting), closedForTotal
	}
	return nil, ""
}

func longest(waiting *list.List) *conn {
	if e := waiting.Front(); e != nil {
		return e.Value.(*conn)
	}
	return nil
}

// add counts a connection, which waits for its first request.
func (t *tracked) add(c *conn) {
	s := t.sources[c.from]
	if s == nil {
		s = new(source)
		t.sources[c.from] = s
	}
	t.open++
	s.open++
	t.meter.open(t.open)
	t.wait(c)
}

// remove forgets a connection.
func (t *tracked) remove(c *conn) {
	if c.gone {
		return
	}
	t.work(c)
	c.gone = true
	s := t.sources[c.from]
	if s.open--; s.open == 0 {
		delete(t.sources, c.from)
	}
	t.open--
	t.meter.open(t.open)
}

// wait notes that a connection has no request under way.
func (t *tracked) wait(c *conn) {
	if !c.gone && c.waiting == nil {
		c.waiting = t.waiting.PushBack(c)
		c.waitingOfSource = t.sources[c.from].waiting.PushBack(c)
	}
}

// work notes that a connection has a request under way.
func (t *tracked) work(c *conn) {
	if !c.gone && c.waiting != nil {
		t.waiting.Remove(c.waiting)
		t.sources[c.from].waiting.Remove(c.waitingOfSource)
		c.waiting, c.waitingOfSource = nil, nil
	}
}

// sourceOf returns the address of a peer: of IPv6 the network of 64 bits, all of which one device usually has to itself.
func sourceOf(address net.Addr) netip.Addr {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := tcp.AddrPort().Addr().Unmap()
	if ip.Is6() {
		if network, err := ip.WithZone("").Prefix(64); err == nil {
			return network.Addr()
		}
	}
	return ip
}

// connState follows the connections of an http.Server. A connection of HTTP/1 has a request under way from the end of its
// headers on, one of HTTP/2 while it has a stream.
func connState(nc net.Conn, state http.ConnState) {
	if over, ok := nc.(*tls.Conn); ok {
		nc = over.NetConn()
	}
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	switch state {
	case http.StateIdle:
		c.of.wait(c)
	case http.StateActive:
		c.of.work(c)
	}
}

// Write writes, and closes the connection if the peer does not take it in time. net/http has no such bound for HTTP/2: a
// peer that reads a byte now and then would hold all streams of its connection.
func (c *conn) Write(p []byte) (int, error) {
	stalled := time.AfterFunc(c.of.write, func() {
		c.of.meter.closed(closedStalled)
		_ = c.Close()
	})
	defer stalled.Stop()
	return c.Conn.Write(p)
}

// CloseWrite ends what the peer reads, for an answer to a request that is not read to its end.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close closes the connection, and makes room for another.
func (c *conn) Close() error {
	c.of.mu.Lock()
	c.of.remove(c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
