package token

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// maxDepth is how deep objects and arrays may be in each other.
const maxDepth = 8

// maxDate is the end of the year 9999, in seconds of Unix time.
const maxDate = 253402300799

// errJSON means a header or claims that this package does not read.
var errJSON = errors.New("token: not plain JSON")

// claims are those that are looked at.
type claims struct {
	jwt.RegisteredClaims
	Scope string `json:"scope"`
}

// UnmarshalJSON reads claims by their exact names, where encoding/json would take "SUB" for "sub" and the last of two.
func (c *claims) UnmarshalJSON(text []byte) error {
	all, err := members(text)
	if err != nil {
		return err
	}
	for name, to := range map[string]any{"iss": &c.Issuer, "sub": &c.Subject, "aud": &c.Audience, "scope": &c.Scope} {
		if value, ok := all[name]; ok {
			if err := json.Unmarshal(value, to); err != nil {
				return err
			}
		}
	}
	for name, to := range map[string]**jwt.NumericDate{"exp": &c.ExpiresAt, "nbf": &c.NotBefore, "iat": &c.IssuedAt} {
		if value, ok := all[name]; ok {
			if *to, err = parseDate(value); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseDate reads a NumericDate, which is a number of seconds, or null. It returns errJSON for a year beyond 9999, which
// would not fit into time.Time.
func parseDate(value json.RawMessage) (*jwt.NumericDate, error) {
	var seconds *float64
	if err := json.Unmarshal(value, &seconds); err != nil || seconds == nil {
		return nil, err
	}
	if *seconds < 0 || *seconds > maxDate {
		return nil, errJSON
	}
	return jwt.NewNumericDate(time.Unix(int64(*seconds), 0)), nil
}

// plainHeader tells whether the header of a token is plain JSON, and names a key by a string if at all. Extensions that must be
// understood (RFC 7515, Section 4.1.11) are refused, since none is.
func plainHeader(token string) bool {
	part, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return false
	}
	all, err := members(text)
	if err != nil {
		return false
	}
	_, critical := all["crit"]
	kid, named := all["kid"]
	return !critical && (!named || kid[0] == '"')
}

// members returns the members of a JSON object. It returns errJSON if two have the same name, which parsers read differently
// (RFC 7519, Section 4), for an object that is deeper than maxDepth, for invalid UTF-8, which would make two accounts one,
// and for anything else than one object.
func members(text []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(text) || deep(text) {
		return nil, errJSON
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errJSON
	}
	all := make(map[string]json.RawMessage)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errJSON
		}
		key, _ := name.(string)
		if _, twice := all[key]; twice {
			return nil, errJSON
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errJSON
		}
		all[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, errJSON
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errJSON
	}
	return all, nil
}

// deep tells whether a JSON text has brackets more than maxDepth deep.
func deep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
