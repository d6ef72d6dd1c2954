//go:build gpu && cgo && linux

package kernel

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/nvrtc"
	"github.com/stheno-ml/stheno/graph"
)

// old is what NVRTC says of GPUs that its next version will not know.
var old = regexp.MustCompile(`.*Architectures prior to.*are deprecated.*`)

// TestEverySourceCompiles compiles what the steps of the conformance suite run, without a warning: files for GPUs from Volta to
// Blackwell, generated loops for the oldest and the newest.
func TestEverySourceCompiles(t *testing.T) {
	l, err := nvrtc.Load(0)
	if err != nil {
		t.Skip("no NVRTC to compile with: set STHENO_NVRTC_PATH. ", err)
	}
	archs := []string{}
	for _, a := range []struct {
		kind   string
		number int
	}{{"compute", 70}, {"sm", 80}, {"sm", 90}, {"sm", 100}, {"sm", 120}} {
		if slices.Contains(l.Archs(), a.number) {
			archs = append(archs, fmt.Sprintf("--gpu-architecture=%s_%d", a.kind, a.number))
		}
	}
	for _, s := range everySource(t) {
		for i, arch := range archs {
			if strings.HasPrefix(s.Name, "loop ") && i > 0 && i < len(archs)-1 {
				continue
			}
			_, log, err := l.Compile(s.Name, s.Text, arch, "--std=c++17", "-default-device")
			require.NoError(t, err, log)
			require.Empty(t, old.ReplaceAllString(log, ""), "%s for %s has warnings", s.Name, arch)
		}
	}
}

// everySource returns the sources that the steps of the conformance suite run, without repetitions.
func everySource(t *testing.T) []Source {
	seen, all := map[string]bool{}, []Source{}
	var add func(list []Command)
	add = func(list []Command) {
		for _, c := range list {
			switch c := c.(type) {
			case *Launch:
				if !seen[c.Source.Text] {
					seen[c.Source.Text] = true
					all = append(all, c.Source)
				}
			case *Either:
				add(c.Try)
				add(c.Else)
			}
		}
	}
	everyStep(t, func(s *graph.Step) {
		for _, p := range []Precision{FP32, TF32, BF16} {
			commands, err := Commands(builderFor(p), s)
			require.NoError(t, err)
			add(commands)
		}
	})
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} { // of no step yet
		l, err := Augmentation{Height: 32, Width: 32, Channels: 3}.Batch(dt, 1)
		require.NoError(t, err)
		add([]Command{l})
	}
	return all
}
