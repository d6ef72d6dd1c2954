package graph

import (
	"runtime"
	"sync"
	"weak"

	"gorgonia.org/gorgonia"
)

// turn keeps the machines of one graph out of each other's way.
type turn struct {
	sync.Mutex              // of host operations, which may have state
	runs       sync.RWMutex // held for writing by a tape machine that changes tensors of the graph, by others for reading
}

// turns holds one for every graph that has needed it. It does not keep the graphs alive.
var turns = struct {
	sync.Mutex
	of map[weak.Pointer[gorgonia.ExprGraph]]*turn
}{of: map[weak.Pointer[gorgonia.ExprGraph]]*turn{}}

func turnOf(g *gorgonia.ExprGraph) *turn {
	turns.Lock()
	defer turns.Unlock()
	key := weak.Make(g)
	t := turns.of[key]
	if t == nil {
		t = &turn{}
		turns.of[key] = t
		runtime.AddCleanup(g, func(key weak.Pointer[gorgonia.ExprGraph]) {
			turns.Lock()
			defer turns.Unlock()
			delete(turns.of, key)
		}, key)
	}
	return t
}
