package main

import (
	"errors"

	"github.com/kith-project/kith/crypto/ristretto"
)

// checkEngine refuses an environment that names an engine which there is not: who set it would wait for a speed, or a portability,
// that this process has not.
func checkEngine() error {
	if ristretto.CheckEngine() == nil {
		return nil
	}
	return withHint(errors.New("KITH_ENGINE: there is no such engine on this machine"),
		"KITH_ENGINE=portable, or leave it unset for the fastest one: here %s", ristretto.Engine())
}
