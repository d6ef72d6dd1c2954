package bench

import (
	"fmt"
	"strings"

	"github.com/stheno-ml/stheno/train"
)

// compare sets the results of accelerators beside the CPU's for the same network, images and mode: the fastest in the same precision or in
// fp32, whichever is faster, of the same batch size if there are any, else of any.
func (r *Report) compare() {
	for i := range r.Cases {
		c := &r.Cases[i]
		if c.onCPU() {
			continue
		}
		var over *Result
		for k := range r.Cases {
			if o := &r.Cases[k]; c.comparable(o) && (over == nil || c.nearer(o, over)) {
				over = o
			}
		}
		if over != nil {
			at := over.Case
			c.Speedup, c.SpeedupOver = c.ImagesPerSecond/over.ImagesPerSecond, &at
		}
	}
}

// comparable says that o is of the CPU and does the same as r, no less precisely.
func (r *Result) comparable(o *Result) bool {
	return o.onCPU() && o.subject() == r.subject() && (o.Precision == r.Precision || o.Precision == train.FP32)
}

// subject is what c does with an image.
func (c Case) subject() Case {
	return Case{Arch: c.Arch, Size: c.Size, Classes: c.Classes, Mode: c.Mode}
}

// nearer says that a is the better of two cases of the CPU to compare r with.
func (r *Result) nearer(a, b *Result) bool {
	if same := a.Batch == r.Batch; same != (b.Batch == r.Batch) {
		return same
	}
	return a.ImagesPerSecond > b.ImagesPerSecond
}

// otherwise says in what the CPU's case differs from r, "" where it is in nothing but the device: "batch 16, fp32".
func (r *Result) otherwise() string {
	o := r.SpeedupOver
	if o == nil {
		return ""
	}
	var all []string
	if o.Batch != r.Batch {
		all = append(all, fmt.Sprintf("batch %d", o.Batch))
	}
	if o.Precision != r.Precision {
		all = append(all, o.Precision)
	}
	return strings.Join(all, ", ")
}
