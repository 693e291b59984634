package rig

import "syscall"

// endWithParent has the kernel kill a process when the one that started it dies without having stopped it.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
