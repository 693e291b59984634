//go:build darwin || freebsd || netbsd || openbsd

package main

import "golang.org/x/sys/unix"

// withholdMemory keeps what is in the memory of this process, keys above all, from core dumps.
func withholdMemory() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }
