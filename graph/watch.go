package graph

import (
	"fmt"
	"log"
	"math"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// watchlist is what a run is watched for. A watched plan is not fused, so that every node's value can be looked at.
type watchlist struct {
	nan, inf bool

	logger *log.Logger // with all, or for the nodes and ids, logs values; alone, logs what is executed
	format string      // of values
	all    bool
	nodes  []*gorgonia.Node
	ids    []int64
}

func (w *watchlist) active() bool { return w.nan || w.inf || w.logger != nil }

// WatchError says in which node's value a watched run found a NaN or an infinity. Found is the number, Index its place in
// row-major order.
type WatchError struct {
	Node, Op string
	Found    float64
	Index    int
}

func (e *WatchError) Error() string {
	return fmt.Sprintf("graph: %v found in the value of %q, computed by %s, at element %d; look at its inputs with gorgonia.WithLogger and WithWatchlist",
		e.Found, e.Node, e.Op, e.Index)
}

// watcher observes the steps of a plan.
type watcher struct {
	watchlist
	plan *Plan
}

func (w *watcher) Before(i int) {
	if w.logger != nil {
		s := w.plan.Steps[i]
		w.logger.Printf("step %d: %s of %q", i, s.Instr, s.Out[0].Name)
	}
}

func (w *watcher) After(i int, out []op.Array) error {
	s := w.plan.Steps[i]
	for k, a := range out {
		if w.logger != nil && w.watches(s.Out[k]) {
			w.logger.Printf("\t%q = "+w.format, s.Out[k].Name, a.Value())
		}
		if !w.nan && !w.inf {
			continue
		}
		if at, x := w.find(a); at >= 0 {
			return &WatchError{Node: s.Out[k].Name, Op: s.Instr.String(), Found: x, Index: at}
		}
	}
	return nil
}

// inputs looks for NaN in what is fed, before it is blamed on what is computed from it. An infinity may be meant, in a mask.
func (w *watcher) inputs(feeds []*feed) error {
	if !w.nan {
		return nil
	}
	only := watcher{watchlist: watchlist{nan: true}}
	for _, f := range feeds {
		if at, x := only.find(f.data); at >= 0 {
			return &WatchError{Node: f.v.Name, Op: "the program that feeds it", Found: x, Index: at}
		}
	}
	return nil
}

func (w *watcher) watches(v *Value) bool {
	return w.all || v.Node != nil && (slices.Contains(w.nodes, v.Node) || slices.Contains(w.ids, v.Node.ID()))
}

func (w *watcher) find(a op.Array) (int, float64) {
	switch d := a.Data.(type) {
	case []float32:
		return findNonFinite(d, w.nan, w.inf)
	case []float64:
		return findNonFinite(d, w.nan, w.inf)
	}
	return -1, 0
}

func findNonFinite[T op.Float](d []T, nan, inf bool) (int, float64) {
	for i, v := range d {
		if x := float64(v); nan && math.IsNaN(x) || inf && math.IsInf(x, 0) {
			return i, x
		}
	}
	return -1, 0
}
