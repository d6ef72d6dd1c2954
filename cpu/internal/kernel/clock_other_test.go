//go:build !linux

package kernel

import "time"

var began = time.Now()

// clock is the time of day: other systems hide a thread's CPU time well.
func clock() time.Duration { return time.Since(began) }
