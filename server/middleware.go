package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	// requestTime bounds the work on one request, from its headers to its answer.
	requestTime = 10 * time.Second
	// refusalKey is where writeProblem leaves the refusal for the log.
	refusalKey = "refusal"
	headerID   = echo.HeaderXRequestID
)

// requestID gives each request an id of its own. One that the client sends is not used: it would reach the log.
func requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(headerID, rand.Text())
		return next(c)
	}
}

// boundTime ends the work on a request after requestTime.
func boundTime(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), requestTime)
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}

// observe logs and counts each request, by what the package comment lists and nothing else. It writes the answer to an
// error itself, so that the status is known.
func observe(logger *slog.Logger, metrics *Metrics) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			started := time.Now()
			if err := next(c); err != nil {
				c.Error(err)
			}
			took := time.Since(started)
			route := routeOf(c)
			metrics.request(route, methodOf(c), c.Response().Status, took)
			attrs := []slog.Attr{
				slog.String("id", c.Response().Header().Get(headerID)), slog.String("method", methodOf(c)),
				slog.String("route", route), slog.Int("status", c.Response().Status), slog.Int64("took_us", took.Microseconds()),
				slog.Int64("in", max(c.Request().ContentLength, 0)), slog.Int64("out", c.Response().Size),
			}
			level := slog.LevelInfo
			if r, ok := c.Get(refusalKey).(*refusal); ok {
				attrs = append(attrs, slog.String("code", r.code))
				if r.status >= 500 {
					level = slog.LevelError
					attrs = append(attrs, slog.String("cause", describe(r)))
				}
			}
			logger.LogAttrs(c.Request().Context(), level, "request", attrs...)
			return nil
		}
	}
}

// describe returns what the log may say of the cause of a refusal: the text of an error that the table lists, which is
// fixed, and only the type of any other, whose text could hold what was sent.
func describe(r *refusal) string {
	switch {
	case r.cause == nil:
		return r.code
	case r.kind == kindInternal:
		return fmt.Sprintf("%T", r.cause)
	default:
		return r.cause.Error()
	}
}

// routeOf returns the pattern of the route, such as /v1/epochs/:epoch/matches, or "none": never the path, which is the
// client's text.
func routeOf(c echo.Context) string {
	if c.Path() == "" || asNotFound(c) {
		return "none"
	}
	return c.Path()
}

// asNotFound reports whether the request met no route.
func asNotFound(c echo.Context) bool {
	r, ok := c.Get(refusalKey).(*refusal)
	return ok && r.kind == kindNotFound
}

// methodOf returns the method, or "other" for a word that is not one of ours.
func methodOf(c echo.Context) string {
	switch m := c.Request().Method; m {
	case echo.GET, echo.HEAD, echo.POST, echo.PUT, echo.DELETE, echo.OPTIONS, echo.PATCH:
		return m
	default:
		return "other"
	}
}

// recoverPanic makes a panic an internal error, and logs where it was but not its value, which could hold a secret.
func recoverPanic(logger *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			defer func() {
				if v := recover(); v != nil {
					logger.Error("panic", "type", fmt.Sprintf("%T", v), "stack", callers())
					err = &refusal{kind: kindInternal, cause: errPanic}
				}
			}()
			return next(c)
		}
	}
}

// callers returns the functions on the stack of a panic with their lines, one a line. debug.Stack would show their
// arguments too, and so the bytes of a tag or a key that is passed by value.
func callers() string {
	pcs := make([]uintptr, 64)
	const skipped = 3 // runtime.Callers, this function and the deferred one
	frames := runtime.CallersFrames(pcs[:runtime.Callers(skipped, pcs)])
	var text strings.Builder
	for {
		frame, more := frames.Next()
		fmt.Fprintf(&text, "%s:%d\n", frame.Function, frame.Line)
		if !more {
			return text.String()
		}
	}
}
