package redistest

import "syscall"

// endWithParent makes the kernel kill a server whose test process died without cleaning up, for instance by the panic of
// a test's timeout.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
