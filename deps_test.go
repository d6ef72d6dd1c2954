package stheno_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/stheno-ml/stheno"

// lattice says what each package may import of this module, tests aside. A trailing "/…" covers the packages below.
// A package that is not listed may import nothing of ours. Read ARCHITECTURE.md before adding an edge.
var lattice = map[string][]string{
	"internal/shape":      {},
	"internal/numtest":    {},
	"internal/philox":     {},
	"internal/suggest":    {},
	"internal/atomicfile": {},
	"internal/thousands":  {},
	"internal/words":      {},
	"internal/host":       {},
	"internal/memcopy":    {},
	"internal/augment":    {},
	"internal/drawing":    {},

	"graph/op":            {"internal/shape", "internal/philox", "internal/augment"},
	"graph/ir":            {"graph/op", "internal/shape", "internal/philox"},
	"graph":               {"graph/op", "graph/ir", "internal/drawing", "internal/shape", "internal/words"},
	"internal/enginetest": {"graph", "graph/op", "graph/ir", "internal/shape", "internal/numtest"},

	"cpu/internal/cpuid":    {},
	"cpu/internal/pool":     {},
	"cpu/internal/vec":      {"cpu/internal/cpuid"},
	"cpu/internal/vmath":    {"cpu/internal/cpuid"},
	"cpu/internal/gemm":     {"cpu/internal/cpuid", "cpu/internal/pool", "cpu/internal/vec"},
	"cpu/internal/winograd": {"cpu/internal/cpuid"},
	"cpu/internal/kernel":   {"cpu/internal/cpuid", "cpu/internal/pool", "cpu/internal/vec", "cpu/internal/vmath", "cpu/internal/gemm", "cpu/internal/winograd", "graph/op", "graph/ir", "internal/shape", "internal/philox", "internal/augment"},
	"cpu":                   {"cpu/internal/…", "graph", "graph/op", "graph/ir", "internal/shape", "internal/host"},

	"cuda/kernels":           {},
	"cuda/internal/find":     {},
	"cuda/internal/dl":       {},
	"cuda/internal/nvrtc":    {"cuda/internal/dl", "cuda/internal/find"},
	"cuda/internal/cublaslt": {"cuda/internal/dl", "cuda/internal/find", "cuda/internal/kernel"},
	"cuda/internal/cudnn":    {"cuda/internal/dl", "cuda/internal/find", "cuda/internal/kernel"},
	"cuda/internal/nvml":     {"cuda/internal/dl"},
	"cuda/internal/cache":    {},
	"cuda/internal/sim":      {},
	"cuda/internal/driver":   {},
	"cuda/internal/kernel":   {"cuda/kernels", "graph", "graph/op", "graph/ir", "internal/shape", "internal/philox", "internal/augment"},
	"cuda":                   {"cuda/kernels", "cuda/internal/…", "graph", "graph/op", "graph/ir", "internal/memcopy", "internal/shape"},

	// Builders import no engine, no compiler and no command line.
	"nn":   {"graph/op", "internal/drawing", "internal/shape", "internal/suggest", "internal/philox", "internal/thousands"},
	"arch": {"nn", "internal/suggest"},

	"data/internal/baseline": {},
	"data/internal/sample":   {},
	"data":                   {"data/internal/baseline", "data/internal/sample", "internal/atomicfile", "internal/augment", "internal/suggest", "internal/philox", "internal/thousands"},
	"weights":                {"internal/atomicfile", "internal/suggest"},
	"weights/internal/hdf5":  {"weights"},

	"metrics": {}, // of numbers, whoever computed them

	// Other programs' files become tensors; a network is known to convert only.
	"weights/internal/pickle":  {},
	"weights/internal/zipfile": {},
	"weights/internal/npy":     {"weights"},
	"weights/keras":            {"weights", "weights/internal/hdf5", "weights/internal/zipfile", "nn", "graph/op", "internal/suggest"},
	"weights/numpy":            {"weights", "weights/internal/npy", "weights/internal/zipfile", "internal/atomicfile"},
	"weights/convert":          {"nn", "weights", "weights/keras", "weights/numpy", "weights/onnx", "weights/torch", "weights/internal/npy", "weights/internal/zipfile"},
	"weights/onnx":             {"weights", "nn", "graph/op", "internal/shape", "internal/suggest", "internal/atomicfile"},
	"weights/torch":            {"weights", "weights/internal/pickle", "weights/internal/npy", "weights/internal/zipfile"},

	"train":             {"train/tensorboard", "arch", "nn", "data", "weights", "weights/convert", "weights/keras", "weights/onnx", "graph", "graph/op", "internal/atomicfile", "internal/host", "internal/memcopy", "internal/suggest", "internal/thousands", "internal/words"},
	"recipes":           {"internal/suggest"}, // texts, which the commands know what to do with
	"train/tensorboard": {},                   // numbers, whoever computed them
	// An experiment with training steps, and its picture.
	"train/gradients":  {"train", "arch", "nn", "data", "graph", "internal/suggest"},
	"bench/peers/peer": {"internal/host"},
	// The reference that results are compared with before they are timed: no engine's kernels.
	"bench/internal/reference": {"graph", "graph/op", "graph/ir", "internal/shape"},
	"bench":                    {"bench/internal/reference", "train", "arch", "nn", "data", "cpu", "graph", "graph/op", "internal/host", "internal/philox", "internal/suggest", "internal/words"},
	"cmd/stheno":               {"bench", "train", "train/gradients", "recipes", "arch", "nn", "data", "weights", "weights/convert", "weights/keras", "weights/numpy", "weights/onnx", "metrics", "cpu", "cuda", "graph", "internal/atomicfile", "internal/suggest", "internal/thousands", "internal/words"},
}

// forbidden are imports from outside that some packages must never have, directly.
var forbidden = map[string][]string{
	"github.com/spf13/cobra":        {"cmd/stheno"},
	"github.com/vbauerster/mpb/v8":  {"cmd/stheno"},
	"go.yaml.in/yaml/v3":            {"recipes"},
	"gorgonia.org/cu":               {"cuda/internal/driver"},
	"gonum.org/v1/plot":             {"bench", "train/gradients"},
	"gonum.org/v1/gonum/blas/gonum": {"bench/internal/reference"}, // a reference must not be what it checks
	"C":                             {"cuda/internal/driver", "cuda/internal/dl", "cuda/internal/nvrtc", "cuda/internal/cublaslt", "cuda/internal/cudnn", "cuda/internal/nvml", "cuda/internal/sim"},
}

func TestImportsFollowTheLattice(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") || d.Name() == "testdata" || d.Name() == "examples") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		require.NoError(t, err)
		pkg := filepath.ToSlash(filepath.Dir(path))
		if f.Name.Name == "main" && pkg != "cmd/stheno" {
			return nil // a generator
		}
		allowed, ok := lattice[pkg]
		require.True(t, ok, "package %s is not in the lattice of deps_test.go", pkg)
		seen[pkg] = true
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if only, ok := forbidden[name]; ok && !slices.Contains(only, pkg) {
				t.Errorf("%s imports %s, which only %s may", path, name, strings.Join(only, ", "))
			}
			if ours, ok := strings.CutPrefix(name, module+"/"); ok && !allows(allowed, ours) {
				t.Errorf("%s imports %s; package %s may import only %s of this module", path, ours, pkg, strings.Join(allowed, ", "))
			}
		}
		return nil
	})
	require.NoError(t, err)
	for pkg := range lattice {
		require.True(t, seen[pkg], "package %s of the lattice does not exist", pkg)
	}
}

func allows(allowed []string, pkg string) bool {
	for _, a := range allowed {
		if below, ok := strings.CutSuffix(a, "/…"); ok && strings.HasPrefix(pkg, below+"/") || a == pkg {
			return true
		}
	}
	return false
}
