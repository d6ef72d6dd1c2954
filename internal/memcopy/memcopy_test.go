package memcopy_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/internal/memcopy"
)

// severally makes copies be in parts, also where there is one processor.
func severally(t *testing.T) {
	old := runtime.GOMAXPROCS(4)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

func TestCopy(t *testing.T) {
	severally(t)
	for _, n := range []int{0, 1, 1000, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 77, 1<<24 + 13} {
		from := make([]byte, n)
		for i := range from {
			from[i] = byte(rand.Uint32())
		}
		for _, less := range []int{0, 1, -1} { // the shorter one counts
			to := make([]byte, max(n+less, 0))
			require.Equal(t, min(len(to), n), memcopy.Copy(to, from))
			require.True(t, slices.Equal(to[:min(len(to), n)], from[:min(len(to), n)]), n)
			require.True(t, len(to) <= n || to[n] == 0)
		}
	}
	floats := make([]float32, 1<<20+5)
	for i := range floats {
		floats[i] = float32(i)
	}
	to := make([]float32, len(floats))
	require.Equal(t, len(floats), memcopy.Copy(to, floats))
	require.True(t, slices.Equal(to, floats))
	var before, after runtime.MemStats // testing.AllocsPerRun has a single processor, on which nothing is copied in parts
	runtime.ReadMemStats(&before)
	for range 100 {
		memcopy.Copy(to, floats)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.Mallocs-before.Mallocs, uint64(50))
}

// Copies at the same time wait for their own parts alone.
func TestCopiesAtOnce(t *testing.T) {
	severally(t)
	var all sync.WaitGroup
	for k := range 8 {
		all.Go(func() {
			from, to := make([]byte, 2<<20), make([]byte, 2<<20)
			for round := range 20 {
				from[len(from)-1-round], from[round] = byte(k+1), byte(round)
				memcopy.Copy(to, from)
				if !slices.Equal(to, from) {
					t.Error("copy ", k, " differs in round ", round)
					return
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkCopy(b *testing.B) {
	for _, n := range []int{3 << 20, 38 << 20} {
		from, to := bytes.Repeat([]byte("batch of images "), n/16), make([]byte, n) // pages that nobody has written are all the same one
		for name, f := range map[string]func(){"one": func() { copy(to, from) }, "several": func() { memcopy.Copy(to, from) }} {
			b.Run(fmt.Sprintf("%d MiB/%s", n>>20, name), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					f()
				}
			})
		}
	}
}
