package weights

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const killDir = "STHENO_TEST_KILL_DIR"

// killable is a checkpoint whose every value is its step, large enough that a
// kill often falls into the writing.
func killable(step int64) *Checkpoint {
	data := make([]float32, 512<<10)
	for i := range data {
		data[i] = float32(step)
	}
	return &Checkpoint{Arch: "killed", Tensors: []Tensor{{Name: "model/a", Shape: []int{len(data)}, Data: data}}}
}

// TestSaveUntilKilled is the victim of TestKilledAtAnyMoment, not a test.
func TestSaveUntilKilled(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("runs only as a subprocess of TestKilledAtAnyMoment")
	}
	first := int64(1)
	if found, err := Latest(dir); err == nil {
		first = found.Checkpoint.Step + 1
	}
	k := &Keeper{Dir: dir, Keep: 2}
	for step := first; ; step++ {
		if _, err := k.Save(killable(step), step, float64(step%7)); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("saved", step)
	}
}

// Killed with SIGKILL at random moments, a run loses nothing that Save had
// returned for, and what is left behind is cleaned up by the next.
func TestKilledAtAnyMoment(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	dir := filepath.Join(t.TempDir(), "run")
	promised, temporary := int64(0), 0
	for round := range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSaveUntilKilled$")
		cmd.Env = append(os.Environ(), killDir+"="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		killed := make(chan struct{})
		var once bool
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			text, ok := strings.CutPrefix(lines.Text(), "saved ")
			require.False(t, strings.HasPrefix(lines.Text(), "error"), lines.Text())
			if !ok {
				continue
			}
			promised, err = strconv.ParseInt(text, 10, 64)
			require.NoError(t, err)
			if !once { // kill some time after the first save, somewhere in a later one
				once = true
				go func() {
					time.Sleep(time.Duration(rand.IntN(15_000)) * time.Microsecond)
					_ = cmd.Process.Kill()
					close(killed)
				}()
			}
		}
		_, _ = io.Copy(io.Discard, out)
		require.Error(t, cmd.Wait(), "the process was to be killed")
		require.True(t, once, "round %d: nothing was saved", round)
		<-killed

		found, err := Latest(dir)
		require.NoError(t, err)
		require.Empty(t, found.Skipped, "a file under its final name is always whole")
		// The kill may fall between saving and saying so.
		require.GreaterOrEqual(t, found.Checkpoint.Step, promised)
		require.LessOrEqual(t, found.Checkpoint.Step, promised+1)
		for _, v := range found.Checkpoint.Tensors[0].Data.([]float32) {
			if v != float32(found.Checkpoint.Step) {
				require.Failf(t, "mixed content", "%v in step %d", v, found.Checkpoint.Step)
			}
		}
		temporary += strings.Count(ls(t, dir), "stheno-tmp")
	}
	t.Logf("%d steps, %d temporary files met on the way", promised, temporary)
	_, err := (&Keeper{Dir: dir}).Start()
	require.NoError(t, err)
	require.NotContains(t, ls(t, dir), "stheno-tmp")
	best, err := LoadCheckpoint(filepath.Join(dir, BestName))
	require.NoError(t, err)
	require.Equal(t, float64(best.Step%7), best.Metric)
}
