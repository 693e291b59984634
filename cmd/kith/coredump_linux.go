package main

import "golang.org/x/sys/unix"

// withholdMemory keeps what is in the memory of this process, keys above all, from files and from other processes of the same
// user: no core dump is written, by the kernel or by a program that it is piped to, and only root can attach a debugger or read
// /proc/PID/mem.
func withholdMemory() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}
