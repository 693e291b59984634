package server_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/kith-project/kith/server"
)

// hostile is a client of HTTP/2 that sends what frames it likes.
type hostile struct {
	net.Conn
	*http2.Framer
	block   bytes.Buffer // of headers
	encoder *hpack.Encoder
}

// dialHTTP2 begins a connection of HTTP/2 in plain text.
func (l *listening) dialHTTP2(t testing.TB, settings ...http2.Setting) *hostile {
	t.Helper()
	conn := l.dial(t)
	h := &hostile{Conn: conn, Framer: http2.NewFramer(conn, conn)}
	h.encoder = hpack.NewEncoder(&h.block)
	// In one write: a server that does not speak HTTP/2 closes the connection after it.
	opening := bytes.NewBufferString(http2.ClientPreface)
	begin := http2.NewFramer(opening, nil)
	must(t, begin.WriteSettings(settings...))
	must(t, begin.WriteSettingsAck())
	_, err := conn.Write(opening.Bytes())
	must(t, err)
	return h
}

// encode returns a header block of a request, with more fields if any are given as name, value, name, value.
func (h *hostile) encode(t testing.TB, method, path string, more ...string) []byte {
	t.Helper()
	h.block.Reset()
	fields := append([]string{":method", method, ":scheme", "http", ":authority", "x", ":path", path}, more...)
	for i := 0; i < len(fields); i += 2 {
		must(t, h.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	return bytes.Clone(h.block.Bytes())
}

// request opens a stream. Its body follows unless it ends there.
func (h *hostile) request(id uint32, block []byte, ends bool) error {
	return h.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true, EndStream: ends})
}

// status reads frames until a stream is answered. It returns 0 if the connection ends, or is said to, before.
func (h *hostile) status(id uint32) int {
	status := 0
	decoder := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == ":status" {
			status, _ = strconv.Atoi(f.Value)
		}
	})
	for {
		frame, err := h.ReadFrame()
		if err != nil {
			return 0
		}
		switch frame := frame.(type) {
		case *http2.GoAwayFrame:
			return 0
		case *http2.HeadersFrame:
			if _, err := decoder.Write(frame.HeaderBlockFragment()); err != nil || frame.StreamID == id {
				return status
			}
		}
	}
}

// goneAway reads frames until the server says that it closes the connection, and why, or does it.
func (h *hostile) goneAway() (http2.ErrCode, bool) {
	for {
		frame, err := h.ReadFrame()
		if err != nil {
			return 0, false
		}
		if away, ok := frame.(*http2.GoAwayFrame); ok {
			return away.ErrCode, true
		}
	}
}

// TestRapidReset opens streams and resets them at once (CVE-2023-44487), with a handler that does not notice.
func TestRapidReset(t *testing.T) {
	const streams = 4
	s := bare()
	defer leavesNothing(t)()
	var running, most atomic.Int32
	release := make(chan struct{})
	handler := directoryOnly(func(http.ResponseWriter, *http.Request) {
		n := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release
	})
	l := serveOn(t, s, server.Listener{Handler: handler, H2C: true, Connections: server.Connections{Streams: streams}})
	h := l.dialHTTP2(t)
	for id := uint32(1); id < 200; id += 2 {
		if h.request(id, h.encode(t, "GET", "/"), true) != nil || h.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
			break // closed already
		}
	}
	if code, ok := h.goneAway(); ok && code != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("the connection is closed with %v, want %v", code, http2.ErrCodeEnhanceYourCalm)
	}
	l.answers(t)
	l.freed(t)
	if got := most.Load(); got != streams {
		t.Errorf("%d handlers ran at once, want %d", got, streams)
	}
	close(release)
	eventually(t, "all handlers ended", func() bool { return running.Load() == 0 })
	l.end(t)
}

// TestResetLookups does the same to real routes, whose handlers do notice, and then asks on the same connection.
func TestResetLookups(t *testing.T) {
	s := newStack(t)
	defer leavesNothing(t)()
	l := serveOn(t, s.server, server.Listener{H2C: true})
	h := l.dialHTTP2(t)
	id := uint32(1)
	for ; id < 1000; id += 2 {
		if h.request(id, h.encode(t, "POST", matchesPath, "content-type", mimePacked), false) != nil || h.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
			break // closed already
		}
	}
	l.answers(t)
	// Whichever: more of them were waiting for a handler than a connection may have, or all have ended.
	err := h.request(id, h.encode(t, "GET", "/v1/directory"), true)
	if got := h.status(id); err == nil && got != 0 && got != http.StatusOK {
		t.Errorf("after the resets: got %d, want 200 or a closed connection", got)
	}
	_ = h.Close()
	l.freed(t)
	l.end(t)
}

// TestTooManyStreams opens more streams than were offered.
func TestTooManyStreams(t *testing.T) {
	const streams = 3
	s := newStack(t)
	defer leavesNothing(t)()
	l := serveOn(t, s.server, server.Listener{H2C: true, Connections: server.Connections{Streams: streams}})
	h := l.dialHTTP2(t)
	for i := range uint32(streams + 1) {
		must(t, h.request(1+2*i, h.encode(t, "POST", matchesPath, "content-type", mimePacked), false))
	}
	for {
		frame, err := h.ReadFrame()
		must(t, err)
		if settings, ok := frame.(*http2.SettingsFrame); ok && !settings.IsAck() {
			if got, _ := settings.Value(http2.SettingMaxConcurrentStreams); got != streams {
				t.Errorf("%d streams are offered, want %d", got, streams)
			}
		}
		if reset, ok := frame.(*http2.RSTStreamFrame); ok {
			if reset.StreamID != 1+2*streams {
				t.Errorf("stream %d is refused, want the last", reset.StreamID)
			}
			break
		}
	}
	l.answers(t)
	_ = h.Close()
	l.freed(t)
	l.end(t)
}

// TestHeadersWithoutEnd sends headers that go on (CVE-2023-45288), stand still, or go on without anything in them. They are of
// no request, and end with what a connection without one may have.
func TestHeadersWithoutEnd(t *testing.T) {
	s := newStack(t)
	defer leavesNothing(t)()
	l := serveOn(t, s.server, server.Listener{H2C: true, Timeouts: server.Timeouts{Idle: 500 * time.Millisecond}})
	tests := []struct {
		name     string
		fragment []byte        // of each CONTINUATION
		every    time.Duration // between them
		code     http2.ErrCode // that the connection is closed with
	}{
		{"flood", bytes.Repeat(literal(t, "a", strings.Repeat("x", 1_000)), 16), 0, http2.ErrCodeProtocol},
		{"a byte at a time", []byte{0x90}, 20 * time.Millisecond, http2.ErrCodeNo}, // accept-encoding: gzip, deflate
		{"nothing at all", nil, 2 * patience, http2.ErrCodeNo},
		{"empty frames", nil, time.Millisecond, http2.ErrCodeNo},
	}
	t.Run("at once", func(t *testing.T) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				h := l.dialHTTP2(t)
				must(t, h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.encode(t, "GET", "/v1/directory")}))
				closed := make(chan struct{})
				go func() {
					defer close(closed)
					if code, ok := h.goneAway(); ok && code != test.code {
						t.Errorf("the connection is closed with %v, want %v", code, test.code)
					}
					_, _ = io.Copy(io.Discard, h.Conn)
				}()
				for going := true; going; {
					select {
					case <-closed:
						going = false
					case <-time.After(test.every):
						going = h.WriteContinuation(1, false, test.fragment) == nil
					}
				}
				l.answers(t)
				<-closed
			})
		}
	})
	l.freed(t)
	l.end(t)
}

// literal returns a field of a header block that no table has or will have.
func literal(t testing.TB, name, value string) []byte {
	t.Helper()
	var block bytes.Buffer
	must(t, hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true}))
	return block.Bytes()
}

// TestGiantHeaders sends more headers than are read, as they are and as references to one field of a table.
func TestGiantHeaders(t *testing.T) {
	s := newStack(t)
	defer leavesNothing(t)()
	l := serveOn(t, s.server, server.Listener{H2C: true})
	tests := []struct {
		name   string
		fields []string
		times  int
		status int // 0 for a closed connection
	}{
		{"one of 20 KB", []string{"a", strings.Repeat("x", 20_000)}, 1, 0},
		{"twenty of 1 KB", []string{"a", strings.Repeat("x", 1_000)}, 20, 431},
		{"a thousand of none", []string{"a", ""}, 1_000, 431},
		{"4 MB in 1 KB", []string{"a", strings.Repeat("x", 4_000)}, 1_000, 431},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := l.dialHTTP2(t)
			var fields []string
			for range test.times {
				fields = append(fields, test.fields...)
			}
			block := h.encode(t, "GET", "/v1/directory", fields...)
			first := block[:min(len(block), 16<<10)]
			must(t, h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndStream: true}))
			must(t, h.WriteContinuation(1, true, block[len(first):]))
			if got := h.status(1); got != test.status {
				t.Errorf("got %d, want %d", got, test.status)
			}
			l.answers(t)
			_ = h.Close()
		})
	}
	l.freed(t)
	l.end(t)
}

// TestSlowBodiesHTTP2 begins a body on every stream, and ends none.
func TestSlowBodiesHTTP2(t *testing.T) {
	const streams = 8
	s := newStack(t)
	defer leavesNothing(t)()
	l := serveOn(t, s.server, server.Listener{
		H2C: true, Connections: server.Connections{Streams: streams}, Timeouts: server.Timeouts{Read: 500 * time.Millisecond, Idle: 500 * time.Millisecond},
	})
	h := l.dialHTTP2(t)
	for i := range uint32(streams) {
		must(t, h.request(1+2*i, h.encode(t, "POST", matchesPath, "content-type", mimePacked), false))
		must(t, h.WriteData(1+2*i, false, []byte("tag")))
	}
	l.answers(t)
	for i := range uint32(streams) {
		if got := h.status(1 + 2*i); i == 0 && got != http.StatusRequestTimeout {
			t.Errorf("got %d, want 408", got)
			break
		}
	}
	if code, ok := h.goneAway(); ok && code != http2.ErrCodeNo {
		t.Errorf("the idle connection is closed with %v, want none", code)
	}
	l.freed(t) // although the client leaves it open
	l.end(t)
}

// TestUnreadBodiesAreBounded sends bodies to a handler that does not read them, as far as the server lets it.
func TestUnreadBodiesAreBounded(t *testing.T) {
	s := bare()
	defer leavesNothing(t)()
	release := make(chan struct{})
	l := serveOn(t, s, server.Listener{H2C: true, Handler: directoryOnly(func(http.ResponseWriter, *http.Request) { <-release })})
	h := l.dialHTTP2(t)
	connection, stream := 65535, 0 // RFC 9113, Section 6.9.2, before what the server says
	must(t, h.request(1, h.encode(t, "POST", "/"), false))
	must(t, h.WritePing(false, [8]byte{}))
	for answered := false; !answered; {
		frame, err := h.ReadFrame()
		must(t, err)
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if size, ok := frame.Value(http2.SettingInitialWindowSize); ok {
				stream = int(size)
			}
		case *http2.WindowUpdateFrame:
			connection += int(frame.Increment)
		case *http2.PingFrame:
			answered = true
		}
	}
	if connection != 128<<10 || stream != 64<<10 {
		t.Errorf("a connection may send %d bytes and a stream %d before they are read, want 128 and 64 KiB", connection, stream)
	}
	l.answers(t)
	close(release)
	_ = h.Close()
	l.freed(t)
	l.end(t)
}

// TestSlowReaderHTTP2 offers all the room there is for an answer without end, and reads it a byte at a time. Without a
// bound on a single write, a stream's timeout would queue a reset behind the write that does not end.
func TestSlowReaderHTTP2(t *testing.T) {
	s := bare()
	defer leavesNothing(t)()
	ended := make(chan error, 1)
	l := serveOn(t, s, server.Listener{
		Handler: directoryOnly(writeOn(ended)),
		H2C:     true, Timeouts: server.Timeouts{Write: time.Second},
	})
	const all = 1<<31 - 1
	h := l.dialHTTP2(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: all})
	must(t, h.WriteWindowUpdate(0, all-65535))
	must(t, h.request(1, h.encode(t, "GET", "/"), true))
	read := readSlowly(h.Conn)
	l.answers(t)
	eventually(t, "the answer given up", func() bool { return len(ended) > 0 })
	l.freed(t) // although the client leaves it open
	if got := l.closed(t, "stalled"); got != 1 {
		t.Errorf("%d connections were closed as stalled, want 1", got)
	}
	_ = h.Close()
	<-read
	l.end(t)
}

// TestHTTP2OverPlainTextIsAskedFor shows that a listener without TLS speaks HTTP/2 only where it is told to.
func TestHTTP2OverPlainTextIsAskedFor(t *testing.T) {
	s := newStack(t)
	defer leavesNothing(t)()
	for _, h2c := range []bool{false, true} {
		l := serveOn(t, s.server, server.Listener{H2C: h2c})
		h := l.dialHTTP2(t)
		err := h.request(1, h.encode(t, "GET", "/v1/directory"), true)
		want := 0
		if h2c {
			want = http.StatusOK
		}
		if got := h.status(1); got != want {
			t.Errorf("h2c %t: got %d, %v, want %d", h2c, got, err, want)
		}
		l.answers(t) // HTTP/1.1 in any case
		_ = h.Close()
		l.freed(t)
		l.end(t)
	}
}
