package nn

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"
)

// FanMode says what [VarianceScaling] divides by. The zero value is FanIn.
type FanMode string

const (
	FanIn  FanMode = "fan_in"  // the number of inputs of an element of the result
	FanOut FanMode = "fan_out" // the number of outputs that an input has part in
	FanAvg FanMode = "fan_avg" // the mean of both
)

// Distribution is the form of [VarianceScaling]'s distribution. The zero value is TruncatedNormalDistribution.
type Distribution string

const (
	TruncatedNormalDistribution   Distribution = "truncated_normal"   // cut at two standard deviations of the normal that is cut
	UntruncatedNormalDistribution Distribution = "untruncated_normal" // a normal
	UniformDistribution           Distribution = "uniform"
)

// VarianceScaling is Keras's "variance_scaling": a distribution of mean 0 and variance Scale/n, where n is the fan that
// Mode names. The Glorot, He and LeCun initializers are cases of it.
type VarianceScaling struct {
	Scale        float64 // scale; 0 means 1
	Mode         FanMode
	Distribution Distribution
}

// Quantile implements [Initializer].
func (v VarianceScaling) Quantile(s tensor.Shape) func(float64) float64 {
	in, out := Fans(s)
	n := float64(in)
	switch v.Mode {
	case FanOut:
		n = float64(out)
	case FanAvg:
		n = float64(in+out) / 2
	}
	variance := v.scale() / max(n, 1)
	switch v.Distribution {
	case UniformDistribution:
		limit := math.Sqrt(3 * variance)
		return func(u float64) float64 { return (2*u - 1) * limit }
	case UntruncatedNormalDistribution:
		return normal(0, math.Sqrt(variance))
	}
	return truncated(math.Sqrt(variance))
}

func (v VarianceScaling) scale() float64 {
	if v.Scale == 0 {
		return 1
	}
	return v.Scale
}

func (v VarianceScaling) check() error {
	switch {
	case !(v.scale() > 0) || math.IsInf(v.Scale, 0):
		return badArgument("use 0 for the default, 1", "VarianceScaling wants a Scale above 0, got %v", v.Scale)
	case v.Mode != "" && v.Mode != FanIn && v.Mode != FanOut && v.Mode != FanAvg:
		return badArgument("use FanIn, FanOut or FanAvg", "VarianceScaling has no Mode %q", string(v.Mode))
	case v.Distribution != "" && v.Distribution != TruncatedNormalDistribution && v.Distribution != UntruncatedNormalDistribution && v.Distribution != UniformDistribution:
		return badArgument("use one of the constants of type Distribution", "VarianceScaling has no Distribution %q", string(v.Distribution))
	}
	return nil
}

func (v VarianceScaling) String() string {
	mode, form := v.Mode, v.Distribution
	if mode == "" {
		mode = FanIn
	}
	if form == "" {
		form = TruncatedNormalDistribution
	}
	return fmt.Sprintf("variance_scaling(scale=%g, mode=%s, distribution=%s)", v.scale(), mode, form)
}

// HeUniform is Keras's "he_uniform": uniform in ±sqrt(6/fan_in) (He et al. 2015).
type HeUniform struct{}

// Quantile implements [Initializer].
func (HeUniform) Quantile(s tensor.Shape) func(float64) float64 {
	return VarianceScaling{Scale: 2, Distribution: UniformDistribution}.Quantile(s)
}

func (HeUniform) String() string { return "he_uniform" }

// LecunNormal is Keras's "lecun_normal": a normal of variance 1/fan_in, truncated like [GlorotNormal]; what selu wants
// (Klambauer et al. 2017).
type LecunNormal struct{}

// Quantile implements [Initializer].
func (LecunNormal) Quantile(s tensor.Shape) func(float64) float64 {
	return VarianceScaling{}.Quantile(s)
}

func (LecunNormal) String() string { return "lecun_normal" }

// LecunUniform is Keras's "lecun_uniform": uniform in ±sqrt(3/fan_in) (LeCun et al. 1998).
type LecunUniform struct{}

// Quantile implements [Initializer].
func (LecunUniform) Quantile(s tensor.Shape) func(float64) float64 {
	return VarianceScaling{Distribution: UniformDistribution}.Quantile(s)
}

func (LecunUniform) String() string { return "lecun_uniform" }

// RandomUniform is Keras's "random_uniform": uniform from Min to Max. Both 0 mean Keras's defaults, ±0.05.
type RandomUniform struct{ Min, Max float64 }

// Quantile implements [Initializer].
func (r RandomUniform) Quantile(tensor.Shape) func(float64) float64 {
	low, high := r.bounds()
	return func(u float64) float64 { return low + (high-low)*u }
}

func (r RandomUniform) bounds() (low, high float64) {
	if r.Min == 0 && r.Max == 0 {
		return -0.05, 0.05
	}
	return r.Min, r.Max
}

func (r RandomUniform) check() error {
	if low, high := r.bounds(); !(low <= high) || math.IsInf(high-low, 0) {
		return badArgument("give the lower bound as Min", "RandomUniform wants finite bounds with Min ≤ Max, got %v and %v", low, high)
	}
	return nil
}

func (r RandomUniform) String() string {
	low, high := r.bounds()
	return fmt.Sprintf("random_uniform(minval=%g, maxval=%g)", low, high)
}

// TruncatedNormal is Keras's "truncated_normal": a normal that is drawn again outside two standard deviations. Its
// standard deviation is that of the normal before the cut, as in Keras. A Stddev of 0 means Keras's default, 0.05.
type TruncatedNormal struct{ Mean, Stddev float64 }

// Quantile implements [Initializer].
func (t TruncatedNormal) Quantile(tensor.Shape) func(float64) float64 {
	inner := truncated(RandomNormal(t).stddev() * cut)
	return func(u float64) float64 { return t.Mean + inner(u) }
}

func (t TruncatedNormal) check() error { return RandomNormal(t).check() }

func (t TruncatedNormal) String() string {
	return fmt.Sprintf("truncated_normal(mean=%g, stddev=%g)", t.Mean, RandomNormal(t).stddev())
}

func (r RandomNormal) check() error {
	if !(r.stddev() > 0) || math.IsInf(r.Stddev, 0) || math.IsNaN(r.Mean-r.Mean) {
		return badArgument("use 0 for the default, 0.05", "a normal wants a finite Mean and a Stddev above 0, got %v and %v", r.Mean, r.Stddev)
	}
	return nil
}
