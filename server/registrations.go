package server

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/registry"
)

const (
	// headerApplied says whether a write is the one that is stored; it is not if a later version is.
	headerApplied = "Kith-Applied"
	// maxRegistration bounds the body of a registration, bytes.
	maxRegistration = 4 << 10
)

// putRegistrationBody is the body of PUT /v1/registrations, and a line of an import.
type putRegistrationBody struct {
	Number       member[string] `json:"number"`
	Label        member[string] `json:"label"`
	Version      member[int64]  `json:"version"`
	Discoverable member[bool]   `json:"discoverable"` // default true
}

// deleteRegistrationBody is the body of DELETE /v1/registrations.
type deleteRegistrationBody struct {
	Number  member[string] `json:"number"`
	Label   member[string] `json:"label"` // if given, delete only if it is the one registered
	Version member[int64]  `json:"version"`
}

// putRegistration answers PUT /v1/registrations: registers a number, or hides it.
func (s *Server) putRegistration(c echo.Context) error {
	var body putRegistrationBody
	if err := readObject(c, maxRegistration, &body); err != nil {
		return err
	}
	reg, err := body.registration()
	if err != nil {
		return err
	}
	return applied(c)(s.Registry.Put(c.Request().Context(), reg))
}

// registration returns what the body says. Its errors are refusals and crypto.ErrLabel.
func (b *putRegistrationBody) registration() (registry.Registration, error) {
	number, version, err := targetOf(b.Number, b.Version)
	if err != nil {
		return registry.Registration{}, err
	}
	return registry.Registration{
		Number: number, Label: b.Label.value, Version: version, Hidden: b.Discoverable.given && !b.Discoverable.value,
	}, crypto.CheckLabel(b.Label.value)
}

// deleteRegistration answers DELETE /v1/registrations: removes a number.
func (s *Server) deleteRegistration(c echo.Context) error {
	var body deleteRegistrationBody
	if err := readObject(c, maxRegistration, &body); err != nil {
		return err
	}
	number, version, err := targetOf(body.Number, body.Version)
	if err != nil {
		return err
	}
	deletion := registry.Deletion{Number: number, Version: version}
	if body.Label.given {
		deletion.Label = &body.Label.value
	}
	return applied(c)(s.Registry.Delete(c.Request().Context(), deletion))
}

// applied answers a write.
func applied(c echo.Context) func(bool, error) error {
	return func(applied bool, err error) error {
		if err != nil {
			return err
		}
		c.Response().Header().Set(headerApplied, strconv.FormatBool(applied))
		return c.NoContent(http.StatusNoContent)
	}
}

// targetOf returns what both writes say: which number, and which version, 0 for none.
func targetOf(number member[string], version member[int64]) (string, uint64, error) {
	e, err := e164(number.value)
	if err != nil {
		return "", 0, err
	}
	v, err := versionOf(version)
	return e, v, err
}

// e164 normalises the number of a registration, which is to be in international form but may be punctuated.
func e164(text string) (string, error) {
	if number, err := normalize.ParseE164(text); err == nil {
		return number, nil
	}
	number, err := normalize.Parse(text, "")
	if err != nil {
		r := &refusal{kind: kindNumber}
		if e, ok := errors.AsType[*normalize.Error](err); ok {
			r.reason = string(e.Reason)
		}
		return "", r
	}
	return number.E164, nil
}

// versionOf returns an optional version, 0 for none.
func versionOf(v member[int64]) (uint64, error) {
	if !v.given {
		return 0, nil
	}
	if v.value < 1 || v.value >= directory.VersionEnd {
		return 0, refuse(kindVersion, "")
	}
	return uint64(v.value), nil
}
