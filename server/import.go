package server

import (
	"cmp"
	"context"
	"errors"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/registry"
)

const (
	mimeLines = "application/x-ndjson"
	// DefaultImportsAtOnce is how many imports may be under way at once where nothing else is configured. Each has one batch under
	// way and keeps at most one core busy.
	DefaultImportsAtOnce = 4
	// importEnough is about how many lines are written at a time, if as many have arrived: with 256 partitions, 16 in each script.
	importEnough = 4096
)

// importResult is a line of the answer to an import: what became of a line of the request, or why the stream ends.
type importResult struct {
	Line       int64  `json:"line,omitempty"`        // from 1; 0 for the end of the stream
	Applied    *bool  `json:"applied,omitempty"`     // of a line that was written
	Code       string `json:"code,omitempty"`        // of the problem, otherwise
	Reason     string `json:"reason,omitempty"`      // as in the problem
	Detail     string `json:"detail,omitempty"`      // as in the problem
	RetryAfter int    `json:"retry_after,omitempty"` // seconds
}

// refusedResult returns the result of a line that can not be written, or, for line 0, the end of a stream.
func refusedResult(line int64, r *refusal) importResult {
	return importResult{Line: line, Code: r.code, Reason: r.reason, Detail: r.detail, RetryAfter: cmp.Or(r.after, r.retryAfter)}
}

// outcome returns what is counted of a line.
func (r importResult) outcome() string {
	switch {
	case r.Applied == nil:
		return "refused"
	case *r.Applied:
		return "applied"
	default:
		return "later"
	}
}

// postImport answers POST /v1/registrations/import: registers or hides the number of each line, as PUT /v1/registrations does, and
// answers in the order of the lines while more arrive. A line that is answered as applied is stored as one that PUT has acknowledged.
func (s *Server) postImport(c echo.Context) error {
	mediaType, err := mediaTypeOf(c)
	if err != nil {
		return err
	}
	if mediaType != mimeLines {
		return refuse(kindMediaType, "Send application/x-ndjson.")
	}
	if err := refuseCompressed(c); err != nil {
		return err
	}
	select {
	case s.imports <- struct{}{}:
		defer func() { <-s.imports }()
	default:
		return refuse(kindOverloaded, "")
	}
	stream := newImportStream(c)
	defer stream.close()
	return stream.end(s.importLines(c, stream))
}

// importLines writes the lines of a stream, batch after batch, and answers them. It returns io.EOF after the last line, and otherwise
// why the stream ends before it.
func (s *Server) importLines(c echo.Context, stream *importStream) error {
	for {
		batch, ended := stream.next(s.closing)
		// Not at the beginning alone: a stream may last longer than its token is good for.
		if _, err := s.authenticate(c, scopeRegister); err != nil {
			return err
		}
		if len(batch.results) > 0 {
			if err := s.putBatch(c.Request().Context(), batch); err != nil {
				return err
			}
			if err := stream.answer(batch.results); err != nil {
				return err
			}
			s.Metrics.importedLines(batch.results)
		}
		if ended != nil {
			return ended
		}
	}
}

// putBatch writes the registrations of a batch, and enters what became of each. It does not end when the peer goes, but has the time
// of a request.
func (s *Server) putBatch(ctx context.Context, batch *importBatch) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTime)
	defer cancel()
	return s.putLines(ctx, batch, 0, len(batch.regs))
}

// putLines is putBatch for the registrations from one to before another. If a stored record is damaged it goes on by halves, in their
// order, down to the line that is of it, which alone is refused, as a PUT would be: otherwise no line near it could be imported.
func (s *Server) putLines(ctx context.Context, batch *importBatch, from, to int) error {
	applied, err := s.Registry.PutAll(ctx, batch.regs[from:to])
	damaged := errors.Is(err, directory.ErrRecord)
	switch {
	case damaged && to-from > 1:
		half := from + (to-from)/2
		if err := s.putLines(ctx, batch, from, half); err != nil {
			return err
		}
		return s.putLines(ctx, batch, half, to)
	case damaged:
		result := &batch.results[batch.at[from]]
		*result = refusedResult(result.Line, asRefusal(err))
		return nil
	case err != nil:
		return err
	}
	for i := range applied {
		batch.results[batch.at[from+i]].Applied = &applied[i]
	}
	return nil
}

// importBatch is some lines of an import that follow each other: a result of each, and the registrations of those that have one.
type importBatch struct {
	results []importResult
	regs    []registry.Registration
	at      []int // where the result of each registration is
}

// add enters a line.
func (b *importBatch) add(number int64, line []byte) {
	reg, err := parseImportLine(line)
	if err != nil {
		b.results = append(b.results, refusedResult(number, asRefusal(err)))
		return
	}
	b.regs, b.at = append(b.regs, reg), append(b.at, len(b.results))
	b.results = append(b.results, importResult{Line: number})
}

// parseImportLine reads a line, which is like a body of PUT /v1/registrations. Its errors become the same problems.
func parseImportLine(line []byte) (registry.Registration, error) {
	if len(line) > maxRegistration {
		return registry.Registration{}, &refusal{kind: kindTooLarge, limit: maxRegistration}
	}
	var body putRegistrationBody
	if err := decodeJSON(line, &body); err != nil {
		return registry.Registration{}, err
	}
	return body.registration()
}
