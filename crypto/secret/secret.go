// Package secret holds 32 secret bytes in a way that is hard to print by mistake.
//
// Every secret of Kith is 32 bytes long: the private key of an epoch, blinds, unblinded elements, label keys, storage
// keys and the master key. Each has a type of its own that embeds Value, so that none of them reaches a log line, an
// error text or a JSON document through fmt, log/slog or encoding/json: all of these print a placeholder or fail.
//
// The package does not lock memory or promise that no copy stays behind: Go moves stacks and copies values. Wipe
// clears the one copy it is called on, no more.
package secret

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Size is the length of a Value in bytes.
const Size = 32

// Placeholder is what a Value prints instead of itself.
const Placeholder = "[secret]"

// ErrMarshal is returned where a Value would have been written as text.
var ErrMarshal = errors.New("secret: refusing to write a secret as text")

// Value is 32 secret bytes. The zero value is 32 zero bytes.
type Value [Size]byte

// Bytes returns a copy of the secret, 32 bytes, for the few places that store or transmit it on purpose.
func (v Value) Bytes() []byte { return append([]byte(nil), v[:]...) }

// Equal reports whether v and w are the same, in constant time.
func (v Value) Equal(w Value) bool { return subtle.ConstantTimeCompare(v[:], w[:]) == 1 }

// Wipe sets this copy of the secret to zero.
func (v *Value) Wipe() { clear(v[:]) }

// String returns the placeholder.
func (v Value) String() string { return Placeholder }

// GoString returns the placeholder, for %#v.
func (v Value) GoString() string { return Placeholder }

// Format writes the placeholder for every verb, %x and %d included.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Placeholder) }

// LogValue returns the placeholder, for log/slog.
func (v Value) LogValue() slog.Value { return slog.StringValue(Placeholder) }

// MarshalText returns ErrMarshal, so that encoding/json and the like fail rather than write the secret.
func (v Value) MarshalText() ([]byte, error) { return nil, ErrMarshal }
