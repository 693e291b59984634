package server

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	// defaultProfiled and maxProfiled are for how long a profile of the processor's time is taken, seconds. All work on a
	// request has to end within requestTime.
	defaultProfiled = 5
	maxProfiled     = 8
)

// profiles writes the profiles of the admin listener by their names, each in the form of pprof alone: sizes, counts and times
// by the lines of the program. The text that net/http/pprof writes too, with the arguments of functions, shows the bytes of keys,
// and its command line can have a password; neither is served.
var profiles = map[string]func(w io.Writer, c echo.Context, seconds int) error{
	"allocs":    snapshotProfile("allocs"),
	"goroutine": snapshotProfile("goroutine"),
	"heap":      snapshotProfile("heap"),
	"profile":   processorProfile,
}

// getProfile answers GET /debug/pprof/{profile} of the admin listener.
func (s *Server) getProfile(c echo.Context) error {
	write, known := profiles[c.Param("profile")]
	if !known {
		return refuse(kindNotFound, "")
	}
	seconds := defaultProfiled
	if text := c.QueryParam("seconds"); text != "" {
		var err error
		if seconds, err = strconv.Atoi(text); err != nil || seconds < 1 || seconds > maxProfiled {
			return refuse(kindMalformed, "A profile takes from 1 to 8 seconds.")
		}
	}
	var taken bytes.Buffer
	err := write(&taken, c, seconds)
	s.audit(c, "profile", err, slog.String("profile", c.Param("profile")))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Blob(http.StatusOK, echo.MIMEOctetStream, taken.Bytes())
}

// snapshotProfile returns what writes a profile of how things are now.
func snapshotProfile(name string) func(io.Writer, echo.Context, int) error {
	return func(w io.Writer, _ echo.Context, _ int) error { return pprof.Lookup(name).WriteTo(w, 0) }
}

// processorProfile writes where the processor's time goes for some seconds, or until the client has gone. There can be one
// at a time.
func processorProfile(w io.Writer, c echo.Context, seconds int) error {
	if err := pprof.StartCPUProfile(w); err != nil {
		return refuse(kindOverloaded, "Another profile is being taken.")
	}
	defer pprof.StopCPUProfile()
	ended := time.NewTimer(time.Duration(seconds) * time.Second)
	defer ended.Stop()
	select {
	case <-ended.C:
		return nil
	case <-c.Request().Context().Done():
		return c.Request().Context().Err()
	}
}
