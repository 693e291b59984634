//go:build unix

package meter

import (
	"syscall"
	"time"
)

// Own returns the processor time that this process has used so far, 0 where the system does not say.
func Own() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
