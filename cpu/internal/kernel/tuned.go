package kernel

// Revision counts the changes that make measured times of ways worth nothing: raise it when a way becomes faster or slower, or rounds
// otherwise under its old name. Ways that come or go need no mention, for measurements name the ways that they compared.
const Revision = 2

// Best is the way that the model expects to be fastest; of equal ones, the first.
func Best(ways []Way) Way {
	best := ways[0]
	for _, w := range ways[1:] {
		if w.Seconds < best.Seconds {
			best = w
		}
	}
	return best
}
