package bench

import "github.com/stheno-ml/stheno/train"

// compare sets the results of accelerators beside the CPU's for the same network, images and mode: those of the same batch size if there are
// any, else of any, of the same precision if there are any, else of any, and of these the fastest.
func (r *Report) compare() {
	for i := range r.Cases {
		c := &r.Cases[i]
		if c.onCPU() {
			continue
		}
		var over *Result
		for k := range r.Cases {
			if o := &r.Cases[k]; o.onCPU() && o.subject() == c.subject() && (over == nil || c.nearer(o, over)) {
				over = o
			}
		}
		if over != nil {
			at := over.Case
			c.Speedup, c.SpeedupOver = c.ImagesPerSecond/over.ImagesPerSecond, &at
		}
	}
}

// subject is what c does with an image.
func (c Case) subject() Case {
	return Case{Arch: c.Arch, Size: c.Size, Classes: c.Classes, Mode: c.Mode}
}

// nearer says that a is the better of two cases of the CPU to compare r with.
func (r *Result) nearer(a, b *Result) bool {
	alike := func(o *Result) int {
		n := 0
		if o.Batch == r.Batch {
			n += 2
		}
		if o.Precision == r.Precision {
			n++
		}
		return n
	}
	if x, y := alike(a), alike(b); x != y {
		return x > y
	}
	return a.ImagesPerSecond > b.ImagesPerSecond
}

// otherwise says in what the CPU's case differs from r, "" where it is in the device alone: "batch 16, fp32".
func (r *Result) otherwise() string {
	o := r.SpeedupOver
	if o == nil {
		return ""
	}
	s := ""
	if o.Batch != r.Batch {
		s = "batch " + digits(float64(o.Batch))
	}
	if o.Precision != r.Precision && o.Precision != train.FP32 {
		if s != "" {
			s += ", "
		}
		s += o.Precision
	}
	return s
}
