//go:build !linux

package chaos

import "syscall"

// endWithParent returns nothing special: only Linux can tie a process's life to its parent's.
func endWithParent() *syscall.SysProcAttr { return nil }
