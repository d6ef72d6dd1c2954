package bench

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUsualCases(t *testing.T) {
	cases, err := Matrix{}.Cases()
	require.NoError(t, err)
	var names []string
	for _, c := range cases {
		require.Equal(t, 100, c.Classes)
		names = append(names, c.String())
	}
	require.Equal(t, []string{
		"simplecnn 32×32, batch 32, train, 0 threads", "simplecnn 32×32, batch 1, inference, 0 threads", "simplecnn 32×32, batch 32, inference, 0 threads",
		"vgg16 32×32, batch 32, train, 0 threads", "vgg16 32×32, batch 1, inference, 0 threads", "vgg16 32×32, batch 32, inference, 0 threads",
		"resnet50 32×32, batch 32, train, 0 threads", "resnet50 32×32, batch 1, inference, 0 threads", "resnet50 32×32, batch 32, inference, 0 threads",
		"resnet50 224×224, batch 16, train, 0 threads", "resnet50 224×224, batch 1, inference, 0 threads", "resnet50 224×224, batch 16, inference, 0 threads",
	}, names)
}

func TestCasesAreTheProduct(t *testing.T) {
	cases, err := Matrix{Archs: []string{"vgg16"}, Sizes: []int{32, 64}, Batches: []int{2, 3}, Threads: []int{1, 2}, Modes: []Mode{Inference},
		Devices: []string{"cpu", "cuda:1"}, Precisions: []string{"fp32", "bf16"}, Classes: 7}.Cases()
	require.NoError(t, err)
	require.Len(t, cases, 24, "threads are the CPU's")
	require.Equal(t, Case{Arch: "vgg16", Size: 32, Classes: 7, Batch: 2, Device: "cpu", Threads: 1, Mode: Inference, Precision: "fp32"}, cases[0])
	require.Equal(t, Case{Arch: "vgg16", Size: 64, Classes: 7, Batch: 3, Device: "cuda:1", Mode: Inference, Precision: "bf16"}, cases[23])
	require.Equal(t, "vgg16 64×64, batch 3, inference on cuda:1 in bf16", cases[23].String())
	require.Equal(t, "vgg16 32×32, batch 2, inference, 1 thread", cases[0].String())
}

func TestCasesThatCannotBe(t *testing.T) {
	for want, m := range map[string]Matrix{
		`unknown mode "trian"; did you mean "train"? The modes are train, inference`: {Modes: []Mode{"trian"}},
		`unknown architecture "vgg61"`:         {Archs: []string{"vgg61"}},
		`unknown precision "fp23"`:             {Precisions: []string{"fp23"}},
		"batch size -1; use one from 1":        {Batches: []int{-1}},
		"image size 0":                         {Sizes: []int{0}},
		"number of threads -2; use one from 0": {Threads: []int{-2}},
		"number of classes 1":                  {Classes: 1},
	} {
		_, err := m.Cases()
		require.ErrorContains(t, err, want)
	}
	_, err := Matrix{Archs: []string{"simplecnn"}, Sizes: []int{2}}.Cases()
	require.Error(t, err, "images that the network's layers cannot shrink")
}

func TestDealing(t *testing.T) {
	c := func(arch string, size, batch int, mode Mode) Case {
		return Case{Arch: arch, Size: size, Classes: 100, Batch: batch, Device: "cpu", Threads: 1, Mode: mode, Precision: "fp32"}
	}
	for _, w := range []struct {
		Case
		size, distinct, referred int
	}{
		{c("resnet50", 32, 64, Train), 64, 8, 8},
		{c("resnet50", 32, 12, Train), 12, 6, 6},
		{c("resnet50", 32, 22, Train), 22, 22, 22}, // two images would be too few
		{c("resnet50", 32, 7, Train), 7, 7, 7},
		{c("resnet50", 32, 2, Train), 8, 8, 8}, // a batch that is too small
		{c("resnet50", 224, 16, Train), 16, 2, 2},
		{c("resnet50", 224, 1, Train), 8, 2, 2},
		{c("resnet50", 32, 4, Train), 8, 8, 8},
		{c("resnet50", 224, 7, Train), 7, 7, 7},
		{c("mobilenet", 32, 64, Train), 8, 8, 8}, // what is dropped differs between places
		{c("mobilenet", 32, 64, Inference), 64, 8, 8},
		{c("resnet50", 32, 1, Inference), 1, 1, 8},
		{c("vgg16", 32, 13, Inference), 13, 8, 8},
		{c("resnet50", 224, 16, Inference), 16, 2, 2},
	} {
		d, err := deals(w.Case)
		require.NoError(t, err)
		require.Equal(t, dealing{w.Case, w.size, w.distinct, w.referred}, d, "%v", w.Case)
	}

	b := deal(c("simplecnn", 4, 12, Train), 3)
	count := map[int]int{}
	size := 4 * 4 * 3
	same := few(c("simplecnn", 4, 12, Train), 3)
	inOrder := true
	for i, k := range b.dealt {
		count[k]++
		require.Equal(t, same.images[k*size:(k+1)*size], b.images[i*size:(i+1)*size])
		require.Equal(t, same.labels[k], b.labels[i])
		inOrder = inOrder && k == i%3
	}
	require.Equal(t, map[int]int{0: 4, 1: 4, 2: 4}, count, "every image is there equally often")
	require.False(t, inOrder)
	require.Equal(t, few(c("simplecnn", 4, 12, Train), 5).images[:3*size], same.images, "the first images are always the same")
}
