package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train"
)

// TestPlainLines is the output that goes to a file: time is set back instead of waited for.
func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetOut(&out)
	s := newScreen(cmd)
	said := func(ago time.Duration, do func()) string {
		out.Reset()
		s.reported, s.stepped = time.Now().Add(-ago), time.Now().Add(-ago)
		do()
		return out.String()
	}
	p := train.Progress{Epoch: 1, Epochs: 9, Batch: 2, Batches: 800, Loss: 4.6, Top1: 0.01, Top5: 0.05, ImagesPerSecond: 3.21, Remaining: 3 * time.Hour}
	step := func() { s.Step(p) }
	require.Empty(t, said(time.Hour, s.beat), "nobody watches")
	s.Watch()
	defer s.Finish()
	require.Equal(t, "the first batch has taken 40s so far\n", said(40*time.Second, s.beat))
	require.Empty(t, said(4*time.Second, step))
	require.Equal(t, "epoch 1/9  2/800  loss 4.6000  top-1 1.0%  top-5 5.0%  3.2 images/s  ETA 3h0m0s\n", said(6*time.Second, step))
	require.Empty(t, said(14*time.Second, step), "the second one later")
	require.NotEmpty(t, said(16*time.Second, step))
	require.Empty(t, said(29*time.Second, s.beat))
	require.Equal(t, "epoch 1/9  2/800  the next batch has taken 31s so far\n", said(31*time.Second, s.beat))
	p.Validating, p.Loss, p.ImagesPerSecond = true, 123456789012, 1234.5
	require.Contains(t, said(time.Minute, step), "validation  2/800  loss 1.235e+11  top-1 1.0%  top-5 5.0%  1234 images/s")
	s.Finish()
	require.Empty(t, said(time.Minute, s.beat))

	s = newScreen(cmd)
	looked := func() { s.Checked(2000, 10000, 4*time.Second) }
	require.Empty(t, said(4*time.Second, looked))
	require.Equal(t, "pictures 2000/10000  500 pictures/s  ETA 16s\n", said(6*time.Second, looked))
	require.Empty(t, said(14*time.Second, looked))
}

func TestClaimOut(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "runs")
	var claims sync.Map
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			path, err := claimOut(parent, "a")
			if err == nil {
				claims.Store(path, true)
			}
		})
	}
	all.Wait()
	for _, name := range strings.Fields("a a-2 a-3 a-4 a-5 a-6 a-7 a-8") {
		_, claimed := claims.Load(filepath.Join(parent, name))
		require.True(t, claimed, name)
	}
	touch(t, filepath.Join(parent, "file"), "")
	_, err := claimOut(filepath.Join(parent, "file"), "a")
	require.ErrorContains(t, err, "--out")
}

// A download that Ctrl-C stopped is not lost.
func TestStoppedDownload(t *testing.T) {
	for err, want := range map[error]string{context.Canceled: "f: the next start goes on where this one was stopped\n", nil: "f: complete\n", errors.New("no such file"): ""} {
		var out bytes.Buffer
		cmd := &cobra.Command{}
		cmd.SetOut(&out)
		d := newScreen(cmd).Downloads()
		d.Start("f", 8000000, 0)
		d.Add(1000)
		d.Finish(err)
		require.Equal(t, "downloading f (8.0 MB)\n"+want, out.String())
	}
}
