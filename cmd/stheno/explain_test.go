package main

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/graph"
)

func TestExplain(t *testing.T) {
	out := ok(t, "explain", "simplecnn", "--batch", "32", "--classes", "10")
	require.Regexp(t, `^\d+ steps, float32; cpu with \d+ threads?, \w+ kernels\n`, out)
	require.Regexp(t, `Conv2D\+bias\+relu +conv2d +\w+ (implicit gemm|gemm by row|winograd 4x4) +f32\(32, 30, 30, 16\) +NHWC`, out)
	require.Contains(t, out, "AdamUpdate")
	require.Regexp(t, `(?m)^total: .* moved, .*FLOPs$`, out)
	require.Regexp(t, `(?m)^peak: .* MiB = arena .*; the arena is fullest at step \d+`, out)
	require.Contains(t, ok(t, "explain", "simplecnn", "--optimizer", "sgd", "--nesterov", "--weight-decay", "1e-4"), "MomentumUpdate+nesterov")
	inference := ok(t, "explain", "simplecnn", "--inference")
	require.Equal(t, inference, ok(t, "explain", "simplecnn", "--training=false"))
	require.Contains(t, inference, "Softmax")
	require.NotContains(t, inference, "Grad")
	require.Contains(t, ok(t, "explain", "vgg16", "--batch-norm", "--batch", "2", "--device", "null"), "+stats")
	require.NotContains(t, ok(t, "explain", "resnet50", "--no-l2", "--batch", "2", "--device", "null"), "AddL2Grad")

	deep := []string{"explain", "resnet50", "--batch", "2", "--device", "null"}
	twice := with(deep, "--recompute", "segments:4")
	require.Greater(t, strings.Count(ok(t, twice...), "\n"), strings.Count(ok(t, deep...), "\n"), "some steps are there twice")
	require.Contains(t, ok(t, with(twice, "--format", "passes")...), "=== after pass recompute: ")
	require.Contains(t, ok(t, "explain", "simplecnn", "--memory-budget", "1GiB"), "peak: ")

	require.Regexp(t, `MaxPool2D +max_pooling2d_1 `, ok(t, "explain", "simplecnn", "--data-format", "channels_first", "--inference"), "and not flatten")
	t.Setenv("STHENO_CPU", "generic") // which computes bf16 everywhere
	require.Regexp(t, `^\d+ steps, float32 with products in bf16; cpu with `, ok(t, "explain", "simplecnn", "--precision", "bf16"))
	require.Contains(t, ok(t, "explain", "simplecnn", "--precision", "bf16", "--format", "json"), "\"products\": \"bf16\",\n")
	t.Setenv("STHENO_CPU", "")

	// Nothing is computed or allocated: a plan for what no machine could hold.
	out = ok(t, "explain", "resnet50", "--batch", "100000", "--input", "224x224x3", "--classes", "1000", "--device", "null")
	require.Contains(t, out, "planned only")
	require.Contains(t, out, " TiB = arena")

	var e graph.Explanation
	require.NoError(t, json.Unmarshal([]byte(ok(t, "explain", "simplecnn", "--format", "json")), &e))
	require.NotEmpty(t, e.Steps)
	require.Positive(t, e.FLOPs)
	out = ok(t, "explain", "simplecnn", "--format", "passes")
	require.Contains(t, out, "=== the graph: ")
	require.Contains(t, out, "=== after pass adam: ")
}

func TestExplainDrawings(t *testing.T) {
	require.True(t, strings.HasPrefix(ok(t, "explain", "simplecnn", "--format", "dot"), "digraph plan {\n"))
	require.Contains(t, ok(t, "explain", "simplecnn", "--format", "dot", "--view", "graph"), "AdamMean")
	dir := t.TempDir()
	file := filepath.Join(dir, "plan.svg")
	draw := func() string {
		out := ok(t, "explain", "simplecnn", "--format", "svg", "--output", file)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, xml.Unmarshal(text, new(struct{})))
		require.Contains(t, string(text), "Conv2DBackwardFilter")
		return strings.TrimPrefix(out, "wrote "+file)
	}
	path := os.Getenv("PATH")
	t.Setenv("PATH", dir)
	require.Equal(t, ", drawn without Graphviz: its command dot is not installed\n", draw())
	if runtime.GOOS == "windows" {
		return
	}
	script := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "dot"), []byte("#!/bin/sh\n"+text), 0o755))
	}
	script("echo broken >&2; exit 3")
	require.Equal(t, ", drawn without Graphviz: dot failed (exit status 3: broken)\n", draw())
	t.Setenv("PATH", dir+string(os.PathListSeparator)+path)
	script(`[ "$1" = -Tsvg ] && grep -q digraph && echo '<svg>Conv2DBackwardFilter</svg>'`)
	require.Equal(t, ", drawn by Graphviz\n", draw())

	require.Equal(t, "wrote "+file+"\n", ok(t, "explain", "simplecnn", "--output", file))
	refused(t, []string{"explain", "simplecnn", "--output", filepath.Join(dir, "nowhere", "a.txt")}, "nowhere")
}

func TestTrainProfile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	out := ok(t, with(quick, "--batch", "40", "--out", dir, "--profile")...)
	require.Regexp(t, `(?m)^profile of batches of 40: 1 runs? of \d+ steps on cpu with`, out)
	require.Regexp(t, `(?m)^profile of batches of 24: 1 runs? of \d+ steps on cpu with`, out)
	require.Regexp(t, `(?m)^and \d+ steps more: `, out)
	require.Regexp(t, `(?m)^all steps +\d+ `, out)
	require.Contains(t, out, "profile written to "+filepath.Join(dir, "profile.json")+" and "+filepath.Join(dir, "profile.txt")+"; open profile.json in https://ui.perfetto.dev\n")
	text, err := os.ReadFile(filepath.Join(dir, "profile.json"))
	require.NoError(t, err)
	require.True(t, json.Valid(text))

	// A resumed run may differ, and its table comes as soon as it is complete.
	file := filepath.Join(t.TempDir(), "second.json")
	out = ok(t, "train", "--resume", "--out", dir, "--epochs", "2", "--profile="+file, "--profile-steps", "1")
	require.Less(t, strings.Index(out, "profile written to "+file), strings.Index(out, "epoch 2/2"))
	require.NotContains(t, ok(t, "train", "--resume", "--out", dir, "--epochs", "3"), "profile")
}

// TestExplainRecipe: the step of a recipe, and what flags change of it.
func TestExplainRecipe(t *testing.T) {
	null := []string{"explain", "--device", "null"}
	recipe := with(null, "--recipe", "resnet18-cifar100")
	require.Equal(t, "resnet18 of 100 classes on images of 32×32×3, batch 128, sgd\n"+ok(t, with(null, "resnet18", "--stem", "cifar", "--no-l2", "--batch", "128", "--optimizer", "sgd", "--nesterov", "--weight-decay", "5e-4")...),
		ok(t, recipe...))
	require.Regexp(t, `(?m)^ *0 .*\(16, 32, 32, 64\)`, ok(t, with(recipe, "--batch", "16")...))
	own := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(own, []byte("train:\n  arch: vgg11\n  batch-norm: true\n  data: sample\n  batch: 8\n  mixup: 0.2\n  precision: bf16\n"), 0o600))
	t.Setenv("STHENO_CPU", "generic")
	out := ok(t, "explain", "--recipe", own)
	require.Regexp(t, `^vgg11 of 10 classes on images of 32×32×3, batch 8, adam\n\d+ steps, float32 with products in bf16; cpu with `, out)
	require.Contains(t, out, "f32(8, 32, 32, 64)")
	require.Contains(t, out, "f32(8, 10)", "the classes of the data set")
	require.NotEqual(t, out, ok(t, "explain", "--recipe", own, "--mixup", "0"))
	require.NoError(t, os.WriteFile(own, []byte("train:\n  arch: resnet18\n  data: folder\n  size: 64\n  batch: 8\n  augment: true\n"), 0o600))
	require.Contains(t, ok(t, with(null, "--recipe", own, "--classes", "7")...), "f32(8, 32, 32, 64)")
	refused(t, with(null, "--recipe", own), "give --classes")
	refused(t, with(recipe, "alexnet", "--stem", "imagenet"), "alexnet does not take images of --input 32x32x3; it takes, for one, --input 224x224x3")
	refused(t, with(recipe, "--cutout", "33"), "--cutout wants at most the side of the images, 32, got 33")
	refused(t, with(recipe, "--inference", "--mixup", "0.2"), "--mixup goes with a training step, not with --inference")
	refused(t, with(null, "--recipe", "nosuch"), `unknown recipe "nosuch"`)
	refused(t, null, "explain wants one architecture, or a --recipe; the architectures are")
	require.Equal(t, ok(t, "recipes"), ok(t, "explain", "--recipe", "list"))
}
