package kernel

// cutRuns is the partition of count runs of size elements each into ranges of elements: whole runs, unless a run is
// longer than a part should be.
func cutRuns(count, size int) split {
	if size > grain {
		return splitBy(count*size, 1)
	}
	s := splitBy(count, size)
	return split{n: count * size, size: s.size * size, parts: s.parts}
}

// spread sets all elements of dst.
func spread[T Float](dst []T, v T) {
	n := min(len(dst), 64)
	for i := range dst[:n] {
		dst[i] = v
	}
	for n < len(dst) { // copies are wider than the loop above
		n += copy(dst[n:], dst[:min(n, loopBlock)])
	}
}

// tile fills dst with copies of run, the first of them from element at on.
func tile[T Float](dst, run []T, at int) {
	n := copy(dst, run[at:])
	n += copy(dst[n:], run[:at])
	block := max(loopBlock/len(run), 1) * len(run) // copied at a time: from the first-level cache
	for n < len(dst) {
		n += copy(dst[n:], dst[:min(n, block)])
	}
}

// copyShort is copy for runs that may be too short to be worth a call.
func copyShort[T Float](dst, src []T) {
	if len(dst) > 8 {
		copy(dst, src)
		return
	}
	for i, v := range src[:len(dst)] {
		dst[i] = v
	}
}
