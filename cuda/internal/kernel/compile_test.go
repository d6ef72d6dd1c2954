//go:build gpu && cgo && linux

package kernel

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
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

// TestEverySourceCompiles compiles what the steps of the conformance suite run, without a warning: all of it for sm_80 and sm_90, and the
// files for the other GPUs from Volta to Blackwell too. With -short all but one of each file, element type and storage are for
// one of the two alone, and each loop is.
func TestEverySourceCompiles(t *testing.T) {
	l := realNVRTC(t)
	main, others := []string{"sm_80", "sm_90"}, []string{}
	for _, a := range main {
		require.True(t, compilesFor(l, a), "NVRTC %s does not know %s", l.Version(), a)
	}
	for _, a := range []string{"compute_70", "sm_100", "sm_120"} {
		if compilesFor(l, a) {
			others = append(others, a)
		}
	}
	counted, before := map[string]int{}, map[string]bool{}
	for i, s := range everySource(t) {
		archs := slices.Clone(main)
		switch {
		case strings.HasPrefix(s.Name, "loop ") && testing.Short(): // there are many, much alike
			archs = main[i%len(main):][:1]
		case strings.HasPrefix(s.Name, "loop ") || len(others) == 0:
		case testing.Short() && before[sort(s.Name)]:
			archs = main[i%len(main):][:1]
		default:
			archs = append(archs, others...)
		}
		before[sort(s.Name)] = true
		for _, arch := range archs {
			counted[arch]++
			t.Run(fmt.Sprintf("%s/%d %s", arch, i, s.Name), func(t *testing.T) {
				t.Parallel()
				_, log, err := l.Compile(s.Name, s.Text, "--gpu-architecture="+arch, "--std=c++17", "-default-device")
				require.NoError(t, err, log)
				require.Empty(t, old.ReplaceAllString(log, ""), "warnings")
			})
		}
	}
	t.Logf("sources to compile: %v", counted)
	for _, arch := range main {
		require.Greater(t, counted[arch], 500, arch)
	}
}

// realNVRTC is an NVRTC for GPUs. Without one the test is skipped, also where there is the simulated one, which makes no machine code for them:
// with that the engine's tests compile what they run.
func realNVRTC(t *testing.T) *nvrtc.Library {
	t.Helper()
	l, err := nvrtc.Load(0)
	if err != nil {
		t.Skip("no NVRTC to compile with: set STHENO_NVRTC_PATH. ", err)
	}
	if l.Version() == "12.99" {
		t.Skip("this NVRTC is the simulated one")
	}
	return l
}

// sort is what a name says of a source but for its sizes and parts: the file, the element type, and whether bfloat16 is in memory or factors
// are rounded, which not every GPU can by itself.
func sort(name string) string {
	words := strings.Fields(name)
	return fmt.Sprint(words[:min(2, len(words))], strings.Contains(name, "bf16"), strings.Contains(name, "TF32"), strings.Contains(name, "KEPT"))
}

// compilesFor says whether NVRTC knows an architecture, "sm_90" or "compute_70".
func compilesFor(l *nvrtc.Library, arch string) bool {
	_, number, _ := strings.Cut(arch, "_")
	n, err := strconv.Atoi(number)
	return err == nil && slices.Contains(l.Archs(), n)
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
			case *Choice:
				for _, w := range c.Ways {
					add(w.List)
				}
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
	shared := builderFor(BF16)
	shared.Share = ShareBytes
	for _, narrow := range []bool{false, true} { // what is too large for the suite
		for _, s := range summingSteps(narrow, 512, 16, 16, 64) {
			add(commandsOf(t, shared, s))
		}
	}
	for _, dt := range floatTypes { // what the suite folds only where it is told to
		commands, err := Commands(builderFor(FP32), foldStep(dt, 3, 3, 3, 8, 16))
		require.NoError(t, err)
		add(commands)
	}
	for fn := range ir.BinaryFns { // of the element types that the suite does not have
		for _, from := range []tensor.Dtype{tensor.Float32, tensor.Float64, tensor.Int} {
			for _, to := range []tensor.Dtype{from, tensor.Bool} {
				commands, err := Commands(builderFor(FP32), stepOf(&ir.Binary{Fn: fn}, valueOf(to, 3, 5), valueOf(from, 3, 5), valueOf(from, 1, 5)))
				require.NoError(t, err)
				add(commands)
			}
		}
	}
	for _, c := range stems[:3] {
		steps := convSteps(t, tensor.Float32, c.x, c.w, c.a)
		for _, pass := range []string{"bias+relu", "filter"} {
			add(commandsOf(t, builderFor(BF16), steps[pass]))
			add(commandsOf(t, builderFor(TF32), steps[pass]))
			add(commandsOfNarrowed(t, steps[pass]))
		}
	}
	for _, narrow := range []bool{false, true} {
		for _, s := range transposedSteps(narrow) {
			add(commandsOf(t, builderFor(BF16), s))
		}
	}
	for _, f := range []int{512, 6, 7} { // packs of filters
		tiny := convSteps(t, tensor.Float32, tensor.Shape{8, 2, 2, 512}, tensor.Shape{3, 3, 512, f}, stems[0].a)
		for _, pass := range []string{"bias+relu", "input", "filter"} {
			add(commandsOf(t, builderFor(TF32), tiny[pass]))
			add(commandsOfNarrowed(t, tiny[pass]))
		}
		for _, p := range []Precision{TF32, BF16} {
			s := copyOf(tiny["filter"])
			s.Out[0].Transposed = true
			if p == BF16 {
				narrowed(s)
			}
			add(commandsOf(t, builderFor(p), s))
		}
	}
	add([]Command{&Launch{Source: Scatter(0).Source}})
	for _, v := range []*graph.Value{valueOf(tensor.Float32, 3), {Dtype: tensor.Float32, Narrow: true}, valueOf(tensor.Float64, 3)} {
		add([]Command{&Launch{Source: Noise(stepOf(&graph.Copy{}, v), v, 0, 0).Source}, &Launch{Source: Compare(v, 0, 0, 0).Source}})
	}
	for _, from := range allTypes {
		for _, to := range allTypes {
			add(commandsOf(t, builderFor(FP32), stepOf(&ir.Cast{To: to}, valueOf(to, 3), valueOf(from, 3))))
		}
		add(commandsOf(t, builderFor(FP32), stepOf(&ir.Gather{}, valueOf(from, 2), valueOf(from, 3), valueOf(tensor.Int, 2))))
	}
	return all
}
