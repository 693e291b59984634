package chaos

import "syscall"

// endWithParent makes the kernel kill a server whose test process died without cleaning up: a stopped one would stay for
// ever.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
