package kernel

// Updater is an optimizer's step of one parameter: a [MomentumUpdate] or an [AdamUpdate].
type Updater[T Float] interface {
	// Apply updates the weights that Begin was told, with the gradient g.
	Apply(g []T)
	// LastPenalty is that of the weights before the last step.
	LastPenalty() T
	// Workspace and SetScratch are those of [Scratch]. A kernel that computes the gradient has the step's working memory in its own.
	Workspace() int
	SetScratch(mem []T)

	common() *update[T]
}

func (u *update[T]) common() *update[T] { return u }

// updateSink makes the step of an optimizer with the gradient that a product hands out block by block ([gemm.Sink]): it is
// never written to memory, and while one worker waits for weights, another computes.
type updateSink[T Float] struct {
	*update[T]
	ld, origin int // where the product's element (r, c) is among the weights: origin + r·ld + c
	first      int // number of the product's first block among those of the update
}

// Take implements [gemm.Sink].
func (s *updateSink[T]) Take(worker, part int, block []T, ld, i0, rows, j0, cols int) {
	at := s.origin + i0*s.ld + j0
	if cols == ld && cols == s.ld {
		s.squares[s.first+part] = s.apply(worker, at, block[:rows*cols])
		return
	}
	var squares float64
	for r := range rows {
		squares += s.apply(worker, at+r*s.ld, block[r*ld:][:cols])
	}
	s.squares[s.first+part] = squares
}
