//go:build !linux

package rig

import "syscall"

// endWithParent can not be had on this system.
func endWithParent() *syscall.SysProcAttr { return nil }
