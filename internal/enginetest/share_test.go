package enginetest

import (
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// fatal is a test that notes that it was ended.
type fatal struct {
	testing.TB
	ended bool
}

func (f *fatal) Helper() {}

func (f *fatal) Fatalf(string, ...any) {
	f.ended = true
	runtime.Goexit()
}

// The shares are all cases, each once.
func TestShares(t *testing.T) {
	cases := []int{0, 1, 2, 3, 4, 5, 6}
	require.Equal(t, cases, share(t, cases))
	var all []int
	for _, part := range []string{"1/3", "2/3", "3/3"} {
		t.Setenv(ShareEnv, part)
		mine := share(t, cases)
		require.Contains(t, []int{2, 3}, len(mine), part)
		all = append(all, mine...)
	}
	slices.Sort(all)
	require.Equal(t, cases, all)
	t.Setenv(ShareEnv, "9/9")
	require.Empty(t, share(t, cases))
	for _, wrong := range []string{"0/3", "4/3", "2", "two/3", "/"} {
		t.Setenv(ShareEnv, wrong)
		f, done := &fatal{TB: t}, make(chan struct{})
		go func() {
			defer close(done)
			share(f, cases)
		}()
		<-done
		require.True(t, f.ended, wrong)
	}
}
