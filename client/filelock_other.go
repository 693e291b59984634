//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package client

import "os"

// lockFile does nothing: this platform has no lock that ends with the process.
func lockFile(*os.File) error { return nil }

// syncFolder does nothing where folders can not be flushed.
func syncFolder(string) error { return nil }
