package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// importLinger is how long what a peer still sends is read after its stream was ended. A connection that is closed before that
// could take the last line of the answer with it.
const importLinger = time.Second

// importStream is the request and the answer of an import. The timeouts of the listener hold for a line instead of the request, and for
// what is written at a time instead of the answer.
type importStream struct {
	c        echo.Context
	control  *http.ResponseController
	timeouts Timeouts
	in       *intake
	lines    int64 // that have been read
	buf      bytes.Buffer
}

// newImportStream begins to read the body of a request.
func newImportStream(c echo.Context) *importStream {
	s := &importStream{c: c, control: http.NewResponseController(c.Response().Writer), timeouts: timeoutsOf(c.Request())}
	if c.Request().ProtoMajor == 1 {
		// A body that is not read to its end must not be taken for requests. In HTTP/2 this would end the other streams.
		c.Response().Header().Set(echo.HeaderConnection, "close")
	}
	// Where one of these is not supported, as in tests without a connection, there is nothing to be bounded.
	_ = s.control.EnableFullDuplex()
	_ = s.control.SetReadDeadline(time.Time{})
	_ = s.control.SetWriteDeadline(time.Time{})
	s.in = newIntake(c.Request().Body, maxRegistration)
	return s
}

// timeoutsOf returns the timeouts of the listener that a request came to.
func timeoutsOf(r *http.Request) Timeouts {
	var t Timeouts
	if hs, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok {
		t.Read, t.Write = hs.ReadTimeout, hs.WriteTimeout
	}
	return t.withDefaults()
}

// next waits for lines, and returns those that are there, with io.EOF if they are the last ones, or why no more come.
func (s *importStream) next(closing <-chan struct{}) (*importBatch, error) {
	batch := new(importBatch)
	err := s.in.next(closing, s.timeouts.Read, importEnough, func(line []byte) {
		s.lines++
		batch.add(s.lines, line)
	})
	switch {
	case err == nil || err == io.EOF:
		if err == io.EOF && s.lines == 0 {
			err = refuse(kindMalformed, "The body is empty.")
		}
		return batch, err
	case errors.Is(err, errStopped):
		return batch, refuse(kindUnavailable, "")
	case errors.Is(err, context.DeadlineExceeded):
		return batch, refuse(kindTimeout, "")
	default:
		return batch, refuse(kindMalformed, "The body ended early.")
	}
}

// answer writes results, and does not return before the peer's system has taken them. Its error means that nobody reads them.
func (s *importStream) answer(results []importResult) error {
	s.buf.Reset()
	e := json.NewEncoder(&s.buf)
	for _, r := range results {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	response := s.c.Response()
	if !response.Committed {
		response.Header().Set(echo.HeaderContentType, mimeLines)
		response.Header().Set("Cache-Control", "no-store")
		response.WriteHeader(http.StatusOK)
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(s.timeouts.Write))
	_, err := response.Write(s.buf.Bytes())
	if err == nil {
		err = s.control.Flush()
	}
	_ = s.control.SetWriteDeadline(time.Time{})
	if err != nil {
		return &refusal{kind: kindTimeout, cause: err}
	}
	return nil
}

// end ends the answer: with nothing more after the last line, and otherwise with a line that says why, or with a problem if no line
// has been answered yet. It returns the error for the log.
func (s *importStream) end(err error) error {
	if err == io.EOF {
		return nil
	}
	if s.c.Response().Committed {
		_ = s.answer([]importResult{refusedResult(0, asRefusal(err))}) // who is gone does not miss it
		return err
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(s.timeouts.Write))
	s.c.Error(err)
	_ = s.control.Flush()
	return err
}

// close ends the reading, and leaves a time for the rest of the answer to be written.
func (s *importStream) close() {
	_ = s.control.SetReadDeadline(time.Now().Add(importLinger))
	s.in.discard()
	_ = s.control.SetWriteDeadline(time.Now().Add(s.timeouts.Write))
}
