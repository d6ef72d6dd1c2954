package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// contestant is a framework and how its program is started.
type contestant struct {
	key, title string
	script     string // in Python, in bench/peers
	folder     string // or in Go, in bench/peers
	env        []string
	alsoTuned  bool // each configuration is tried with tunedMalloc too
	inference  bool // it does no training
	optional   bool // it is left out first where time is short
	slow       bool // it has one turn, and that in a few cases

	// What planning takes for granted until the record knows better: seconds until a program computes, and GFLOP/s of a thread.
	startup, speed float64

	command []string // filled in by gather, as what follows
	version string
	configs map[string][]string // by mode
}

const (
	ours       = "stheno"
	tunedTorch = "torch"
)

// contestants in the order of their columns. PyTorch gets from malloc what it is not given: huge pages, and memory that stays. Those that
// may gain or lose by that are tried both ways.
var contestants = []contestant{
	{key: ours, title: "Stheno", folder: "stheno", startup: 1, speed: 150},
	{key: tunedTorch, title: "PyTorch", script: "torch_peer.py", env: []string{tunedMalloc}, startup: 1.5, speed: 100},
	{key: "torch2", title: "PyTorch 2", script: "torch_peer.py", env: []string{tunedMalloc}, optional: true, startup: 3, speed: 100},
	{key: "onnxruntime", title: "ONNX Runtime", script: "onnxruntime_peer.py", inference: true, alsoTuned: true, startup: 1.5, speed: 100},
	{key: "jax", title: "JAX", script: "jax_peer.py", slow: true, alsoTuned: true, startup: 12, speed: 25},
	{key: "gomlx", title: "GoMLX", folder: "gomlx", slow: true, startup: 2, speed: 0.5},
	{key: "gorgonia", title: "Gorgonia", folder: "gorgonia", slow: true, startup: 1, speed: 7},
}

// references are those that a mode's wanted ratios are meant against: the best of them.
var references = map[string][]string{peer.Train: {tunedTorch}, peer.Inference: {tunedTorch, "torch2", "onnxruntime"}}

const tunedMalloc = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296"

// withMalloc ends the names of configurations that have tunedMalloc besides.
const withMalloc = " with tuned malloc"

// both are the configurations that a program names, and those that the driver makes of them.
func (c contestant) both(named []string) []string {
	all := slices.Clone(named)
	if c.alsoTuned {
		for _, config := range named {
			all = append(all, config+withMalloc)
		}
	}
	return all
}

func keys() (all []string) {
	for _, c := range contestants {
		all = append(all, c.key)
	}
	return all
}

// find is the place of a contestant in the list of all.
func find(key string) int {
	return slices.IndexFunc(contestants, func(c contestant) bool { return c.key == key })
}

// unset are the beginnings of variables that slow down one contestant or another, or change its number of threads.
var unset = []string{"OPENBLAS_", "OMP_", "MKL_", "GOMP_", "KMP_", "GLIBC_TUNABLES=", "MALLOC_", "XLA_FLAGS=", "JAX_", "GOMAXPROCS=", "GOGC=", "GOMEMLIMIT=", "GODEBUG=", "STHENO_"}

// environment is that of a contestant in a configuration, with so many threads.
func (c contestant) environment(config string, threads int) (env []string) {
	for _, v := range os.Environ() {
		keep := true
		for _, u := range unset {
			keep = keep && !strings.HasPrefix(v, u)
		}
		if keep {
			env = append(env, v)
		}
	}
	env = append(append(env, "OMP_NUM_THREADS="+strconv.Itoa(threads)), c.env...)
	if strings.HasSuffix(config, withMalloc) {
		env = append(env, tunedMalloc)
	}
	return env
}

// arguments of the contestant's program for a case.
func arguments(c peer.Case) []string {
	return []string{"--arch", c.Arch, "--size", strconv.Itoa(c.Size), "--batch", strconv.Itoa(c.Batch), "--threads", strconv.Itoa(c.Threads), "--mode", c.Mode}
}

// root is the folder of the module that the program was started in.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "bench", "peers", "peer.py")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no bench/peers here or above; start this program in the project's folder")
		}
	}
}

// build compiles a contestant in Go, or says how its script is called.
func (c *contestant) build(root string, pythons map[string]*string) error {
	if len(c.command) > 0 {
		return nil
	}
	if c.script != "" {
		// Python would leave compiled files beside the script.
		c.command = []string{*pythons[c.key], "-B", filepath.Join(root, "bench", "peers", c.script)}
		return nil
	}
	program := filepath.Join(root, ".build", "peers", c.folder)
	cmd := exec.Command("go", "build", "-ldflags", "-X main.commit="+commit(root), "-o", program, ".")
	cmd.Dir = filepath.Join(root, "bench", "peers", c.folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, lastLine(string(out)))
	}
	c.command = []string{program}
	return nil
}

// commit names the project's, with "+changes" where the files differ from it.
func commit(root string) string {
	out, err := exec.Command("git", "-C", root, "describe", "--always", "--dirty=+changes").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
