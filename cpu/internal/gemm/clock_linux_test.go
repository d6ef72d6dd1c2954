package gemm

import (
	"time"

	"golang.org/x/sys/unix"
)

// clock is the CPU time of this thread.
func clock() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
