//go:build !linux

package gemm

import "time"

var start = time.Now()

// clock is the time of day: other systems hide a thread's CPU time well.
func clock() time.Duration { return time.Since(start) }
