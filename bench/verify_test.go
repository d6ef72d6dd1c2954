package bench

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// spoiled is an engine that gets one thing wrong: spoil changes the memory of an input, a variable or an output after every run.
type spoiled struct {
	graph.Engine
	spoil func(name string, output bool, data []float32)
}

func (s *spoiled) Wrap(a op.Array) (graph.Buffer, error) {
	b, err := s.Engine.Wrap(a)
	return &wrapped{b, a}, err
}

func (s *spoiled) Build(p *graph.Plan) (graph.Program, error) {
	prog, err := s.Engine.Build(p)
	return &spoiledProgram{prog, s.spoil, map[*graph.Value]op.Array{}}, err
}

// wrapped is a buffer that tells its memory.
type wrapped struct {
	graph.Buffer
	array op.Array
}

type spoiledProgram struct {
	graph.Program
	spoil  func(name string, output bool, data []float32)
	arrays map[*graph.Value]op.Array
}

func (p *spoiledProgram) Bind(v *graph.Value, b graph.Buffer) error {
	p.arrays[v] = b.(*wrapped).array
	return p.Program.Bind(v, b.(*wrapped).Buffer)
}

func (p *spoiledProgram) Run() error {
	err := p.Program.Run()
	for v, a := range p.arrays {
		if data, ok := a.Data.([]float32); ok {
			p.spoil(v.Name, v.Output, data)
		}
	}
	return err
}

func smallCase(mode Mode, batch int) Case {
	return Case{Arch: "simplecnn", Size: 32, Classes: 10, Batch: batch, Device: "cpu", Threads: 1, Mode: mode, Precision: "fp32"}
}

// quick is a configuration whose cases take no time.
func quick(cases ...Case) Config {
	return Config{Cases: cases, Seconds: 1e-3, Rounds: 2, Ceiling: func(device string, threads int) (Ceiling, error) {
		return Ceiling{Device: device, Threads: threads, FLOPs: 1e12, Bytes: 1e11}, nil
	}}
}

func TestWrongResultsAreNotTimed(t *testing.T) {
	at := func(name string, change func(data []float32)) func(string, bool, []float32) {
		return func(n string, _ bool, data []float32) {
			if n == name {
				change(data)
			}
		}
	}
	output := func(change func(data []float32)) func(string, bool, []float32) {
		return func(_ string, output bool, data []float32) {
			if output {
				change(data)
			}
		}
	}
	for name, c := range map[string]struct {
		mode  Mode
		spoil func(name string, output bool, data []float32)
		want  string
	}{
		"one weight":            {Train, at("conv2d_1/kernel", func(d []float32) { d[len(d)-1] *= 1.00001 }), " at conv2d_1/kernel (allowed: 2e-07)"},
		"a weight of no number": {Train, at("dense/bias", func(d []float32) { d[0] = float32(math.NaN()) }), "updates off by NaN at dense/bias"},
		"a gradient's tail":     {Train, at("momentum/conv2d_1/kernel", func(d []float32) { clear(d[len(d)-len(d)/20:]) }), "each weight's gradient off by 0."},
		"a small gradient":      {Train, at("momentum/conv2d/bias", func(d []float32) { d[3] = 0 }), " at conv2d/bias (allowed: 1e-02)"},
		"all gradients":         {Train, func(n string, _ bool, d []float32) { scale(strings.HasPrefix(n, "momentum/"), d, 1.01) }, "gradients off by 0.01 (allowed: 1e-03), each"},
		"the loss":              {Train, output(func(d []float32) { scale(len(d) == 1 && d[0] != float32(int(d[0])), d, 1.0001) }), "loss off by 0.0001 (allowed: 1e-05)"},
		"a score":               {Inference, output(func(d []float32) { d[13] *= 1.01 }), "scores off by"},
		"images exchanged":      {Inference, output(func(d []float32) { copy(d[10:20], d[:10]) }), "scores off by"},
		"no numbers":            {Inference, output(func(d []float32) { d[0] = float32(math.NaN()) }), "scores off by NaN at image 0 of the batch"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := quick(smallCase(c.mode, 4))
			timed := false
			cfg.Progress = func(e Event) { timed = timed || e.Phase == Timing }
			cfg.Open = func(context.Context, Case) (graph.Engine, error) {
				e, err := cpu.New(cpu.Config{Threads: 1})
				return &spoiled{Engine: e, spoil: c.spoil}, err
			}
			report, err := Run(context.Background(), cfg)
			var wrong *MismatchError
			require.ErrorAs(t, err, &wrong)
			require.ErrorContains(t, err, "not timed")
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, smallCase(c.mode, 4).String())
			require.False(t, timed)
			require.Empty(t, report.Cases)
		})
	}
}

func scale(which bool, data []float32, by float32) {
	if which {
		for i := range data {
			data[i] *= by
		}
	}
}

func TestEveryNetworkIsVerified(t *testing.T) {
	cases := []Case{smallCase(Train, 12), smallCase(Train, 1), smallCase(Inference, 3)}
	if !testing.Short() {
		deep := smallCase(Train, 8)
		deep.Arch = "resnet50"
		infers := deep
		infers.Mode, infers.Batch = Inference, 9
		cases = append(cases, deep, infers)
	}
	dropping := smallCase(Train, 16) // which draws random numbers, as its reference does
	dropping.Arch, dropping.Size = "mobilenetv3-small", 32
	cases = append(cases, dropping)
	for _, c := range cases {
		d, err := deals(c)
		require.NoError(t, err)
		truth, err := d.truth(context.Background())
		require.NoError(t, err)
		e, err := cpu.New(cpu.Config{Threads: 2})
		require.NoError(t, err)
		v, err := truth.verify(e, d)
		require.NoError(t, err)
		t.Logf("%v: %v", c, v)
		for _, check := range v.Checks {
			require.Less(t, check.Error, check.Allowed/3, "%v, %s: the tolerance is not far above what it takes", c, check.Name)
			require.Positive(t, check.Error, "%v, %s: float32 is not float64", c, check.Name)
		}
		if c.Arch == "resnet50" && c.Mode == Train {
			require.Equal(t, "running averages", v.Checks[4].Name)
		}
		require.NoError(t, e.Close())
	}
}

func TestVerificationInWords(t *testing.T) {
	v := &Verification{Batch: 32, Distinct: 8, Checks: []Check{{Name: "loss", Error: 4.1e-8}, {Name: "gradients", Error: 3e-6}}}
	require.Equal(t, "loss to 4e-08, gradients to 3e-06 of the reference in float64; a batch of 32, dealt from 8 images", v.String())
	v.Distinct = 32
	require.Equal(t, "loss to 4e-08, gradients to 3e-06 of the reference in float64; a batch of 32", v.String())
	c := smallCase(Train, 4)
	c.Precision = "int3"
	_, err := (&truth{}).verify(nil, dealing{Case: c, size: 4, distinct: 4, referred: 4})
	require.ErrorContains(t, err, `precision "int3"`)
}
