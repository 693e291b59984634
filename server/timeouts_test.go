package server

import (
	"testing"
	"time"
)

// TestTimeoutsSetInPart shows that a timeout that is left out is the default, and not that there is no bound.
func TestTimeoutsSetInPart(t *testing.T) {
	hs := newHTTPServer(Listener{Timeouts: Timeouts{Read: time.Second}})
	got := Timeouts{hs.ReadHeaderTimeout, hs.ReadTimeout, hs.WriteTimeout, hs.IdleTimeout}
	want := DefaultTimeouts
	want.Read = time.Second
	if got != want || hs.MaxHeaderBytes != 16<<10 {
		t.Errorf("got %+v and headers of %d bytes, want %+v and 16 KiB", got, hs.MaxHeaderBytes, want)
	}
}
