package cpu

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// MeasurePeak measures the arithmetic that no kernel can exceed: the float32 operations a second, multiplications and additions, of
// so many threads that do nothing else, with the instruction set that the engine uses. It is the best of some short tries and takes
// about a tenth of a second. 0 threads are one per available core, and more than there are cores are measured as so many as there are.
func MeasurePeak(threads int) (flopsPerSecond float64, err error) {
	if threads, err = atOnce(threads); err != nil {
		return 0, err
	}
	run, flops := gemm.Peak(kernel.Level())
	rounds := uint64(1)
	for start := time.Now(); ; start = time.Now() { // as many as take some milliseconds, which also wakes the core up
		run(rounds)
		if time.Since(start) > 5*time.Millisecond {
			break
		}
		rounds *= 2
	}
	const tries = 12
	for range tries {
		took := together(threads, func(int) { run(rounds) })
		flopsPerSecond = max(flopsPerSecond, float64(threads)*float64(rounds)*float64(flops)/took.Seconds())
	}
	return flopsPerSecond, nil
}

// MeasureBandwidth measures the traffic with memory that no kernel can exceed on data that no cache holds: the bytes a second of so
// many threads that read numbers, or copy them, whichever is more. It takes some tenths of a second and 512 MiB. Threads are those of
// MeasurePeak.
func MeasureBandwidth(threads int) (bytesPerSecond float64, err error) {
	if threads, err = atOnce(threads); err != nil {
		return 0, err
	}
	const all = 512 << 20 / 4
	from, to := make([]float32, all/2), make([]float32, all/2)
	each := all / 2 / threads
	loops := vec.For[float32](kernel.Level())
	together(threads, func(i int) { // the first touch
		for _, x := range [][]float32{from, to} {
			x = x[i*each : (i+1)*each]
			for k := range x {
				x[k] = 1
			}
		}
	})
	sums := make([]float64, threads)
	const tries = 6
	for range tries {
		took := together(threads, func(i int) { sums[i] = loops.SumSquares(from[i*each : (i+1)*each]) })
		bytesPerSecond = max(bytesPerSecond, float64(4*threads*each)/took.Seconds())
		took = together(threads, func(i int) { copy(to[i*each:(i+1)*each], from[i*each:(i+1)*each]) })
		bytesPerSecond = max(bytesPerSecond, float64(2*4*threads*each)/took.Seconds())
	}
	return bytesPerSecond, nil
}

// maxMeasured bounds the threads of a measurement: each must get some work.
const maxMeasured = 4096

func atOnce(threads int) (int, error) {
	switch {
	case threads < 0 || threads > maxMeasured:
		return 0, fmt.Errorf("cpu: %d threads; use 0 for one per core, or a number up to %d", threads, maxMeasured)
	case threads == 0:
		return runtime.GOMAXPROCS(0), nil
	}
	return min(threads, runtime.GOMAXPROCS(0)), nil // more do no more, and take turns for it
}

// together runs do on so many threads, which begin at one moment, and returns the time until the last has ended. It is not the pool's
// Run, which does not wait for helpers that come late.
func together(threads int, do func(thread int)) time.Duration {
	var ready, ended sync.WaitGroup
	var begin atomic.Bool
	ready.Add(threads)
	ended.Add(threads)
	for i := range threads {
		go func() {
			defer ended.Done()
			runtime.LockOSThread() // and not unlocked: the thread ends with the goroutine
			ready.Done()
			for !begin.Load() {
				runtime.Gosched() // the goroutine that lets them begin needs a processor too
			}
			do(i)
		}()
	}
	ready.Wait()
	start := time.Now()
	begin.Store(true)
	ended.Wait()
	return time.Since(start)
}
