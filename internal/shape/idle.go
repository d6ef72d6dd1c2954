package shape

// WithoutIdleTaps cuts off the taps at both ends of the kernel that meet nothing but padding wherever the window stands: of three taps over
// one element with padding 1, the outer two. It returns what is left, which tap is now the first, and whether any is gone. The outputs are
// the same, and the gradient of an idle tap is 0. Nothing is cut where what is left would be no window of its own: there must be a tap,
// and padding of at least 0.
func (s Span) WithoutIdleTaps() (cut Span, first int, ok bool) {
	first, last := s.Kernel, -1
	for k := range s.Kernel {
		if s.meets(k) {
			first, last = min(first, k), k
		}
	}
	if last < first || last-first+1 == s.Kernel {
		return s, 0, false
	}
	cut = s
	cut.Kernel = last - first + 1
	cut.Before -= first * s.Dilation
	cut.After = max((s.Out-1)*s.Stride+cut.Reach()-s.In-cut.Before, 0)
	if cut.Before < 0 || (s.In+cut.Before+cut.After-cut.Reach())/s.Stride+1 != s.Out {
		return s, 0, false
	}
	return cut, first, true
}

// meets says whether tap k is on an input element for any output.
func (s Span) meets(k int) bool {
	at := k*s.Dilation - s.Before // of the first output
	if at < 0 {
		at += min((-at+s.Stride-1)/s.Stride, s.Out-1) * s.Stride
	}
	return at >= 0 && at < s.In
}
