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
	"github.com/stheno-ml/stheno/graph/ir"
)

// old is what NVRTC says of GPUs that its next version will not know.
var old = regexp.MustCompile(`.*Architectures prior to.*are deprecated.*`)

// TestEverySourceCompiles compiles what the steps of the conformance suite run, without a warning: files for GPUs from Volta to
// Blackwell, each of the many generated loops for one of them.
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
	if l.Version() == "12.99" {
		t.Skip("this NVRTC is the simulated one, with which the engine's tests compile what they run")
	}
	for i, s := range everySource(t) {
		for k, arch := range archs {
			if one := testing.Short() || strings.HasPrefix(s.Name, "loop "); one && k != i%len(archs) {
				continue
			}
			_, log, err := l.Compile(s.Name, s.Text, arch, "--std=c++17", "-default-device")
			require.NoError(t, err, log)
			require.Empty(t, old.ReplaceAllString(log, ""), "%s for %s has warnings", s.Name, arch)
		}
	}
}

// everySource returns the sources that the steps of the conformance suite run, with float32 in memory and with bfloat16 where it can
// be, without repetitions.
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
		if s.Instr.Kind() == "Loop" && testing.Short() { // there are many
			return
		}
		add(commandsOfNarrowed(t, s))
	})
	for fn := range ir.BinaryFns { // of the element types that the suite does not have
		for _, from := range []tensor.Dtype{tensor.Float32, tensor.Float64, tensor.Int} {
			for _, to := range []tensor.Dtype{from, tensor.Bool} {
				commands, err := Commands(builderFor(FP32), stepOf(&ir.Binary{Fn: fn}, valueOf(to, 3, 5), valueOf(from, 3, 5), valueOf(from, 1, 5)))
				require.NoError(t, err)
				add(commands)
			}
		}
	}
	for _, from := range allTypes {
		for _, to := range allTypes {
			add(commandsOf(t, builderFor(FP32), stepOf(&ir.Cast{To: to}, valueOf(to, 3), valueOf(from, 3))))
		}
		add(commandsOf(t, builderFor(FP32), stepOf(&ir.Gather{}, valueOf(from, 2), valueOf(from, 3), valueOf(tensor.Int, 2))))
	}
	return all
}

