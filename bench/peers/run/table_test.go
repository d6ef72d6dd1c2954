package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

func measured(c peer.Case, rates map[string]float64, memory map[string]int64) *measurement {
	m := &measurement{Case: c, Seconds: 1, Date: "2026-11-26"}
	for _, k := range contestants {
		if rate, ok := rates[k.key]; ok {
			m.Entries = append(m.Entries, &entry{Key: k.key, Title: k.title, Result: peer.Result{Case: c, Framework: k.title, Version: "1", Config: "only",
				ImagesPerSecond: rate, Rates: []float64{rate * 0.9, rate, rate * 1.1}, PeakMemory: memory[k.key]}})
		}
	}
	return m
}

func TestGoals(t *testing.T) {
	small := training
	small.Threads = 1
	one := forAll
	one.Threads = 1
	failed := func(m *measurement, key, reason string) *measurement {
		m.Entries = append(m.Entries, &entry{Key: key, Title: contestants[find(key)].title, Reason: reason})
		return m
	}
	r := &record{Measurements: []*measurement{
		// Training is held against tuned PyTorch, whoever else is faster.
		measured(training, map[string]float64{ours: 230, tunedTorch: 160, "torch2": 200, "gorgonia": 30}, map[string]int64{ours: 900e6, tunedTorch: 800e6, "torch2": 950e6}),
		measured(small, map[string]float64{ours: 100, tunedTorch: 80, "gorgonia": 5}, map[string]int64{ours: 700e6, tunedTorch: 800e6}),
		// Inference against the best of the two PyTorches and ONNX Runtime, but not JAX.
		measured(inference, map[string]float64{ours: 1300, tunedTorch: 900, "onnxruntime": 1000, "jax": 1100}, nil),
		// Who has no result, ours or the reference, reaches nothing.
		failed(measured(forAll, map[string]float64{ours: 1000, "torch2": 1}, nil), tunedTorch, "it was killed, probably for its memory"),
		failed(measured(one, map[string]float64{tunedTorch: 1}, nil), ours, "no answer in 2s"),
		failed(measured(alone(inference), map[string]float64{ours: 1, "jax": 1}, nil), tunedTorch, "it fails"),
		// Of an unusual case nothing is wanted.
		measured(peer.Case{Arch: "vgg16", Size: 32, Batch: 3, Threads: 2, Mode: peer.Train}, map[string]float64{ours: 1, tunedTorch: 2}, nil),
	}}
	text := goals(r)
	for _, want := range []string{
		"2 of 24 wanted ratios are reached", "is more in 1 of 2 that were measured.",
		"| VGG-16 32² | train | 64 | 2 | PyTorch 160 | 230 | **1.44** (1.44–1.44) | 1.40 | reached | **900 / 800 MB** |",
		"| VGG-16 32² | train | 64 | 1 | PyTorch 80.0 | 100 | **1.25** (1.25–1.25) | 1.40 | **missed by 10.7 %** | 700 / 800 MB |",
		"| VGG-16 32² | inference | 64 | 2 | ONNX Runtime 1,000 | 1,300 | **1.30** (1.30–1.30) | 1.30 | reached, without PyTorch 2 | – |",
		"| VGG-16 32² | train | 32 | 2 | – | – | – | 1.40 | not measured: PyTorch: it was killed, probably for its memory | – |",
		"| VGG-16 32² | train | 32 | 1 | – | – | – | 1.40 | not measured: Stheno: no answer in 2s | – |",
		"| VGG-16 32² | inference | 1 | 2 | – | – | – | 1.00 | not measured: PyTorch: it fails; PyTorch 2 took no part; ONNX Runtime took no part | – |",
		"| ResNet-50 224² | inference | 64 | 2 | – | – | – | 1.05 | not measured: the case is not in the record | – |",
		"Against Gorgonia the least ratio of 2 cases is 7.67 (vgg16 32×32, batch 64, train, 2 threads); wanted is 10, which is **missed**. Not measured: simplecnn 32×32, batch 64, train, 2 threads (not in the record); vgg16 32×32, batch 32, train, 2 threads (Gorgonia took no part); ",
		"Against GoMLX nothing was measured.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if !strings.Contains(document(r), text) {
		t.Error("the document does not have it")
	}
}

// What the document says of the work is what the record has.
func TestTheDocumentTellsWhatWasDone(t *testing.T) {
	rates := map[string]float64{ours: 230, tunedTorch: 160, "onnxruntime": 100, "jax": 1}
	m := measured(inference, rates, nil)
	m.Seconds, m.Trial = 0.7, 0.4
	m.entry("onnxruntime").Result.Config = "all" + withMalloc
	m.entry("onnxruntime").Trials = []trial{{Config: "all"}}
	m.entry("jax").Result.Rates = []float64{1}
	m.entry("jax").Result.Batch = 16
	r := &record{Machine: machine{Usable: []int{4, 6, 5, 7}}, Measurements: []*measurement{m}}
	text := document(r)
	for _, want := range []string{
		"taskset -c 4,6 python3 bench/peers/onnxruntime_peer.py --arch vgg16 --size 32 --batch 64 --threads 2 --mode inference --seconds 0.7 --rounds 3 --config \"all\"\n",
		"taskset -c 4,6 .build/peers/stheno --arch vgg16 --size 32 --batch 64 --threads 2 --mode inference --seconds 0.7 --rounds 3 --config \"only\"\n",
		"in a process of its own, for 0.4 s, and", "JAX in 1 of 1 case.", "\"(batch n)\"", "PyTorch and PyTorch 2 get huge pages", "ONNX Runtime and JAX are tried with it",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, no := range []string{"--mode train", "Debian", "1.13", "gomlx --", "For want of time", "taskset -c 0"} {
		if strings.Contains(text, no) {
			t.Errorf("%q is in\n%s", no, text)
		}
	}
	borrower := measured(alone(inference), rates, nil)
	borrower.entry("onnxruntime").TriedIn = describe(inference)
	r.Measurements = append(r.Measurements, borrower)
	if text := document(r); !strings.Contains(text, "in a case of the same net and mode:\n  vgg16 32×32, batch 64, inference, 2 threads.\n") {
		t.Error(text)
	}
}

func alone(c peer.Case) peer.Case {
	c.Batch = 1
	return c
}

func TestTables(t *testing.T) {
	m := measured(training, map[string]float64{ours: 230, tunedTorch: 160, "torch2": 200}, nil)
	want := "| net | batch | threads | Stheno | PyTorch | PyTorch 2 | Stheno ÷ best peer |\n|---|--:|--:|--:|--:|--:|--:|\n" +
		"| VGG-16 32² | 64 | 2 | 230 | 160 | **200** | **1.15** (1.15–1.15) |\n"
	if got := table([]*measurement{m}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	m.entry("torch2").Result.Batch = 4
	if got := table([]*measurement{m}); !strings.Contains(got, "**200** (batch 4)") {
		t.Error(got)
	}
	// We alone: no ratio.
	m.Entries = m.Entries[:1]
	if got := table([]*measurement{m}); !strings.HasSuffix(got, "| 230 | – |\n") {
		t.Error(got)
	}
	if got := summary(m); !strings.Contains(got, "230 images/s (207 to 253)") {
		t.Error(got)
	}
}

func TestNumbers(t *testing.T) {
	for x, want := range map[float64]string{1.234: "1.23", 12.34: "12.3", 999.6: "1,000", 123: "123", 1234567: "1,234,567"} {
		if got := number(x); got != want {
			t.Errorf("%v is %s, want %s", x, got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	for _, v := range []string{"OPENBLAS_CORETYPE", "OMP_NUM_THREADS", "GLIBC_TUNABLES", "GOMAXPROCS", "STHENO_CPU"} {
		t.Setenv(v, "slow")
	}
	env := contestants[find(tunedTorch)].environment("", 2)
	for _, v := range env {
		if strings.HasSuffix(v, "=slow") {
			t.Errorf("a contestant sees %s", v)
		}
	}
	if !slices.Contains(env, "OMP_NUM_THREADS=2") || !slices.Contains(env, tunedMalloc) {
		t.Errorf("PyTorch is not tuned: %q", env)
	}
}

// What malloc gives to PyTorch is tried by those that may gain by it, and no program is told of it.
func TestTunedMallocIsTried(t *testing.T) {
	d := fakes(t, [3]string{ours, "100", ""}, [3]string{"onnxruntime", "a=10,b=30", "by-malloc"})
	m, err := d.measure(inference, quick)
	if err != nil {
		t.Fatal(err)
	}
	e := m.entry("onnxruntime")
	if e == nil || len(e.Trials) != 4 || e.Result.Config != "b"+withMalloc || e.Result.ImagesPerSecond != 60 {
		t.Fatalf("%+v", m.about("onnxruntime"))
	}
	if ours := m.entry(ours); len(ours.Trials) != 0 {
		t.Errorf("ours is tried with it: %+v", ours)
	}
	d.past.add(m)
	d.tried = true
	if m, err = d.measure(inference, quick); err != nil || m.entry("onnxruntime").Result.Config != "b"+withMalloc {
		t.Errorf("again: %v, %+v", err, m.about("onnxruntime"))
	}
}

func TestProcessor(t *testing.T) {
	model, flags := processor(map[string]string{"model name": "Z80", "cpu family": "1", "model": "2", "stepping": "3", "flags": "fpu avx512f fma sse2 amx_tile"})
	if model != "Z80 (family 1, model 2, stepping 3)" || flags != "avx512f fma amx_tile" {
		t.Errorf("%q, %q", model, flags)
	}
}
