package gemm

// epilogue is the plain form of what the micro-kernels do to a finished sum in
// column n of C.
func (j *job[T]) epilogue(s T, n int) T {
	if j.args.Bias != nil {
		s += j.args.Bias[n]
	}
	act := j.args.act()
	return bent(s, act.Kind, act.Most, act.Shift, act.Factor)
}

// finishRowsAtOnce is how many rows of C a part of the finish phase has.
const finishRowsAtOnce = 16

func (j *job[T]) finishParts() int { return ceil(j.args.M, finishRowsAtOnce) }

// finish sums the pieces of K in order and applies the epilogue. With no piece
// (K = 0) the sum is 0.
func (j *job[T]) finish(part int) {
	i0, i1 := part*finishRowsAtOnce, min((part+1)*finishRowsAtOnce, j.args.M)
	if j.swapped || j.splits == 0 || j.args.Beta != 0 {
		j.finishRows(i0, i1)
		return
	}
	rows, n := i1-i0, j.n
	if j.args.LDC == n { // all one row
		rows, n = 1, (i1-i0)*n
	}
	for r := range rows {
		c, at := j.args.C[(i0+r)*j.args.LDC:][:n], (i0+r)*j.n
		copy(c, j.acc[at:])
		for s := 1; s < j.splits; s++ {
			at += j.m * j.n
			j.g.ops.Add(c, c, j.acc[at:at+n])
		}
		if j.args.Bias != nil || j.args.act().Kind != NoAct {
			for x := range c {
				c[x] = j.epilogue(c[x], x%j.n)
			}
		}
	}
}

// finishRows is the plain form of finish.
func (j *job[T]) finishRows(i0, i1 int) {
	si, sj := j.n, 1 // strides of the pieces in terms of C
	if j.swapped {
		si, sj = 1, j.n
	}
	for i := i0; i < i1; i++ {
		c := j.args.C[i*j.args.LDC:][:j.args.N]
		d := j.args.D[i*j.args.LDD:][:j.args.N]
		for n := range c {
			var s T
			at := i*si + n*sj
			for range j.splits {
				s += j.acc[at]
				at += j.m * j.n
			}
			if j.args.Beta != 0 {
				s += j.args.Beta * d[n]
			}
			c[n] = j.epilogue(s, n)
		}
	}
}
