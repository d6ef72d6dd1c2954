package graph

import (
	"fmt"
	"time"
)

// IdleTeller is an [Engine] of a device with a clock of its own, which can say how long the device had nothing to do between the runs of
// the engine's programs. It is optional.
type IdleTeller interface {
	// WatchIdle begins to note when runs begin and end on the device, for as many runs as the engine has room for, a hundred or more.
	// What was noted before is dropped. It slows runs by next to nothing.
	WatchIdle() error
	// Idle ends that, waits for the runs, and returns what was noted.
	Idle() (Idle, error)
}

// Idle is how the time of a device was spent from the beginning of a run on, in runs and between them.
type Idle struct {
	Runs    int           // that began after another one
	Waiting time.Duration // between runs: nothing was computed. What is fed arrives in this time where it does not arrive during a run
	Busy    time.Duration // in these runs
}

// Share is the part of the time, from 0 to 1, in which nothing was computed.
func (i Idle) Share() float64 {
	if i.Waiting+i.Busy <= 0 {
		return 0
	}
	return float64(i.Waiting) / float64(i.Waiting+i.Busy)
}

// String is one line for people.
func (i Idle) String() string {
	n := time.Duration(max(i.Runs, 1))
	return fmt.Sprintf("GPU idle %.1f %% of steady state: %v before a step of %v, in the mean of %d that ran as without a profile",
		100*i.Share(), (i.Waiting / n).Round(100*time.Nanosecond), (i.Busy / n).Round(100*time.Nanosecond), i.Runs)
}
