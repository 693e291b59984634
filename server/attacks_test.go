package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kith-project/kith/server"
)

// postHead begins a lookup in packed bytes.
const postHead = "POST " + matchesPath + " HTTP/1.1\r\nHost: x\r\nContent-Type: " + mimePacked + "\r\n"

// TestSlowHeaders has three times as many connections as the listener may have send headers a byte at a time.
func TestSlowHeaders(t *testing.T) {
	s := newStack(t)
	defer leavesNothing(t)()
	const total = 16
	l := serveOn(t, s.server, server.Listener{
		Timeouts: server.Timeouts{Header: 500 * time.Millisecond}, Connections: server.Connections{Total: total, PerSource: -1},
	})
	var slow []<-chan struct{}
	for range 3 * total {
		slow = append(slow, dribble(l.dial(t), "GET /v1/directory HTTP/1.1\r\nHost: x\r\nX-Slow: "))
	}
	for range 5 {
		l.answers(t)
		if open := l.open(t); open > total {
			t.Errorf("%d connections are open, want at most %d", open, total)
		}
	}
	for _, ended := range slow {
		<-ended
	}
	l.freed(t)
	if got := l.closed(t, "total"); got < 2*total {
		t.Errorf("%d connections made room for others, want at least %d", got, 2*total)
	}
	l.end(t)
}

// TestSlowBodies fills a listener with requests whose bodies come a byte at a time, which are under way and so do not make
// room for others until their time is over.
func TestSlowBodies(t *testing.T) {
	s := newStack(t)
	defer leavesNothing(t)()
	tests := []struct{ name, head string }{
		{"declared", postHead + "Content-Length: 16384\r\n\r\n"},
		{"chunked", postHead + "Transfer-Encoding: chunked\r\n\r\n4000\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			const total = 8
			l := serveOn(t, s.server, server.Listener{
				Timeouts: server.Timeouts{Read: 500 * time.Millisecond}, Connections: server.Connections{Total: total, PerSource: -1},
			})
			before := l.closed(t, "total")
			statuses := make(chan int, total)
			for range total {
				conn := l.dial(t)
				ended := dribble(conn, test.head)
				go func() {
					status := 0
					if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
						status = response.StatusCode
					}
					<-ended
					statuses <- status
				}()
			}
			l.answers(t)
			timedOut := 0
			for range total {
				if status := <-statuses; status == http.StatusRequestTimeout {
					timedOut++
				} else if status != 0 {
					t.Errorf("got %d, want 408", status)
				}
			}
			// Whose headers had not been read yet could make room.
			if room := l.closed(t, "total") - before; timedOut == 0 || timedOut+room != total {
				t.Errorf("of %d requests %d timed out, and %d made room", total, timedOut, room)
			}
			l.freed(t)
			l.end(t)
		})
	}
}

// TestManyFromOneSource has one address take all the connections that it may have. The device behind the same address that
// comes last is answered.
func TestManyFromOneSource(t *testing.T) {
	s := newStack(t)
	defer leavesNothing(t)()
	const perSource = 8
	l := serveOn(t, s.server, server.Listener{Connections: server.Connections{PerSource: perSource}})
	var conns []net.Conn
	for range 2 * perSource {
		conns = append(conns, l.dial(t))
	}
	l.answers(t)
	if got := l.open(t); got > perSource {
		t.Errorf("%d connections are open, want at most %d", got, perSource)
	}
	if got := l.closed(t, "source"); got < perSource {
		t.Errorf("%d connections made room for others, want at least %d", got, perSource)
	}
	if _, err := conns[0].Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the first connection: got %v, want that it is closed", err)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	l.freed(t)
	l.end(t)
}

// TestDeepJSON sends what costs a recursive parser its stack.
func TestDeepJSON(t *testing.T) {
	s := newStack(t)
	defer leavesNothing(t)()
	l := serveOn(t, s.server, server.Listener{})
	const deep = 100_000 // bytes, of the 124 KB that a lookup may have
	bodies := map[string]string{
		"arrays":         strings.Repeat("[", deep),
		"objects":        strings.Repeat(`{"tags":`, deep/8),
		"in a string":    `{"tags":["` + strings.Repeat("[", deep) + `"]}`,
		"closed":         strings.Repeat("[", deep/2) + strings.Repeat("]", deep/2),
		"in a member":    `{"tags":` + strings.Repeat("[", deep/2) + strings.Repeat("]", deep/2) + "}",
		"unknown member": `{"a":` + strings.Repeat(`{"a":`, deep/6) + "1" + strings.Repeat("}", deep/6) + "}",
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	var wait sync.WaitGroup
	for name, body := range bodies {
		wait.Go(func() {
			response, err := client.Post("http://"+l.address+matchesPath, mimeJSON, strings.NewReader(body))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: got %d, want 400", name, response.StatusCode)
			}
		})
	}
	l.answers(t)
	wait.Wait()
	l.freed(t)
	l.end(t)
}

// TestChunkedFloods sends bodies that never end, in chunks that are mostly something else.
func TestChunkedFloods(t *testing.T) {
	s := newStack(t)
	defer leavesNothing(t)()
	l := serveOn(t, s.server, server.Listener{})
	const head = postHead + "Transfer-Encoding: chunked\r\n\r\n"
	tests := []struct {
		name, head, again string
		status            int
	}{
		{"small chunks", head, "1\r\nx\r\n", http.StatusRequestEntityTooLarge},
		{"large chunks", head, "4000\r\n" + strings.Repeat("x", 0x4000) + "\r\n", http.StatusRequestEntityTooLarge},
		{"extensions", head, "1;" + strings.Repeat("x", 1000) + "\r\nx\r\n", http.StatusBadRequest},
		{"an extension without end", head + "1;", "xxxx", http.StatusBadRequest},
		{"a size without end", head, "00000000", http.StatusBadRequest},
		{"trailers", head + "10\r\ntag of 16 bytes.\r\n0\r\n", "X-Trailer: x\r\n", http.StatusBadRequest},
		{"trailers after too much", head + "4000\r\n" + strings.Repeat("x", 0x4000) + "\r\n0\r\n", "X-Trailer: x\r\n", http.StatusBadRequest},
	}
	t.Run("at once", func(t *testing.T) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				conn := l.dial(t)
				flooded := make(chan struct{})
				go func() {
					defer close(flooded)
					for _, err := io.WriteString(conn, test.head); err == nil; _, err = io.WriteString(conn, test.again) {
					}
				}()
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || response.StatusCode != test.status {
					t.Errorf("got %v, %v, want %d", response, err, test.status)
				}
				l.answers(t)
				<-flooded // the connection is closed
			})
		}
	})
	l.freed(t)
	l.end(t)
}

// TestRequestsEndOnce sends requests of which two servers in a row could see the end at different places, each followed by
// another request. It is the sender's own request for one of them, and anybody's for the other: it must not be answered.
func TestRequestsEndOnce(t *testing.T) {
	s := newStack(t)
	defer leavesNothing(t)()
	l := serveOn(t, s.server, server.Listener{})
	const (
		tag      = "tag of 16 bytes."
		smuggled = "GET /v1/directory HTTP/1.1\r\nHost: x\r\n\r\n"
		chunks   = "10\r\n" + tag + "\r\n0\r\n\r\n"
	)
	old := strings.Replace(postHead, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\n"
	tests := []struct {
		name, sent string
		status     int // of the one answer, 0 for none
	}{
		{"two lengths", postHead + "Content-Length: 16\r\nContent-Length: 17\r\n\r\n" + tag, 400},
		{"two lengths in a line", postHead + "Content-Length: 16, 16\r\n\r\n" + tag, 400},
		{"a signed length", postHead + "Content-Length: +16\r\n\r\n" + tag, 400},
		{"a length in hexadecimal", postHead + "Content-Length: 0x10\r\n\r\n" + tag, 400},
		{"a length of two words", postHead + "Content-Length: 1 6\r\n\r\n" + tag, 400},
		{"length and chunks", postHead + "Content-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, 200},
		{"chunks and length", postHead + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunks, 200},
		{"chunks alone", postHead + "Transfer-Encoding: chunked\r\n\r\n" + chunks, 200},
		{"chunks twice", postHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, 501},
		{"chunks in a list", postHead + "Transfer-Encoding: chunked, chunked\r\n\r\n" + chunks, 501},
		{"identity", postHead + "Transfer-Encoding: identity\r\nContent-Length: 16\r\n\r\n" + tag, 501},
		{"an unknown coding", postHead + "Transfer-Encoding: xchunked\r\nContent-Length: 16\r\n\r\n" + tag, 501},
		{"a coding after a tab", postHead + "Transfer-Encoding:\vchunked\r\nContent-Length: 16\r\n\r\n" + tag, 400},
		{"a space before the colon", postHead + "Transfer-Encoding : chunked\r\nContent-Length: 16\r\n\r\n" + tag, 400},
		{"a folded line", postHead + "Content-Length: 16\r\n Transfer-Encoding: chunked\r\n\r\n" + tag, 400},
		{"a line without colon", postHead + "Content-Length: 16\r\nTransfer-Encoding\r\n\r\n" + tag, 400},
		{"a carriage return in a line", postHead + "Content-Length: 16\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n" + tag, 400},
		{"a zero byte in a line", postHead + "Content-Length: 16\r\nX: a\x00b\r\n\r\n" + tag, 400},
		{"a chunk that ends in a line feed", postHead + "Transfer-Encoding: chunked\r\n\r\n10\n" + tag + "\r\n0\r\n\r\n", 400},
		{"a chunk longer than it says", postHead + "Transfer-Encoding: chunked\r\n\r\n4\r\n" + tag + "\r\n0\r\n\r\n", 400},
		{"a negative chunk", postHead + "Transfer-Encoding: chunked\r\n\r\n-10\r\n" + tag + "\r\n0\r\n\r\n", 400},
		{"a chunk of 2^64", postHead + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n" + tag + "\r\n0\r\n\r\n", 400},
		{"HTTP/1.0 with chunks", old + "Content-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n" + tag, 200},
		{"HTTP/1.0 with a length", old + "Content-Length: 16\r\n\r\n" + tag, 200},
		{"two hosts", strings.Replace(postHead, "Host: x", "Host: x\r\nHost: y", 1) + "Content-Length: 16\r\n\r\n" + tag, 400},
		{"no host", strings.Replace(postHead, "Host: x\r\n", "", 1) + "Content-Length: 16\r\n\r\n" + tag, 400},
		{"HTTP/2 in plain text", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404},
		{"an upgrade to h2c is not taken", postHead + "Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nContent-Length: 16\r\n\r\n" + tag, 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conn := l.dial(t)
			_, err := io.WriteString(conn, test.sent+smuggled)
			must(t, err)
			reader := bufio.NewReader(conn)
			response, err := http.ReadResponse(reader, nil)
			must(t, err)
			_, _ = io.Copy(io.Discard, response.Body)
			if response.StatusCode != test.status {
				t.Errorf("got %d, want %d", response.StatusCode, test.status)
			}
			// net/http closes as soon as it has answered, so that reading may fail with a reset instead of an end.
			rest, err := io.ReadAll(reader)
			if len(rest) > 0 || isTimeout(err) {
				t.Errorf("after the answer: got %q, %v, want the end", rest, err)
			}
		})
	}
	l.answers(t)
	l.freed(t)
	l.end(t)
}

// TestKeepAlive is the other side of TestRequestsEndOnce: requests whose end is certain share a connection.
func TestKeepAlive(t *testing.T) {
	s := newStack(t)
	defer leavesNothing(t)()
	l := serveOn(t, s.server, server.Listener{})
	conn := l.dial(t)
	reader := bufio.NewReader(conn)
	for i := range 3 {
		_, err := fmt.Fprintf(conn, "%sContent-Length: 16\r\n\r\ntag of 16 bytes.", postHead)
		must(t, err)
		response, err := http.ReadResponse(reader, nil)
		must(t, err)
		_, _ = io.Copy(io.Discard, response.Body)
		if response.StatusCode != http.StatusOK {
			t.Errorf("request %d: got %d, want 200", i, response.StatusCode)
		}
	}
	_ = conn.Close()
	l.freed(t)
	l.end(t)
}

// TestSlowReader asks for an answer without end and reads it a byte at a time.
func TestSlowReader(t *testing.T) {
	s := bare()
	defer leavesNothing(t)()
	ended := make(chan error, 1)
	l := serveOn(t, s, server.Listener{
		Handler:  directoryOnly(writeOn(ended)),
		Timeouts: server.Timeouts{Write: time.Second},
	})
	conn := l.dial(t)
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	must(t, err)
	read := readSlowly(conn)
	l.answers(t)
	eventually(t, "the answer given up", func() bool { return len(ended) > 0 })
	_ = conn.Close()
	<-read
	l.freed(t)
	l.end(t)
}

// writeOn returns a handler that writes until writing fails, and then sends.
func writeOn(ended chan<- error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 16<<10)
		_, err := w.Write(block)
		for err == nil {
			_, err = w.Write(block)
		}
		ended <- err
	}
}

// readSlowly reads a byte now and then until the connection is closed. The channel is closed then.
func readSlowly(conn net.Conn) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, err := conn.Read(make([]byte, 1)); err == nil; _, err = conn.Read(make([]byte, 1)) {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return ended
}
