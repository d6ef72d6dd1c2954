package gemm

// The parts of C are a grid of blocks of rows and of columns, dealt out to the workers in shares of consecutive numbers, rows first. With few
// rows, as of one image of 14×14 pixels, the panels of B often cannot be divided evenly: of three, one of two workers would have two. A
// grid is then chosen by an estimate of how long the worker with the most takes.

// grid is how C is cut into parts.
type grid struct{ mp, np int }

// grids remembers the grids of the latest products of a workspace, which are mostly those of the next.
type grids struct {
	of    [4]gridKey
	found [4]grid
	next  int // to be forgotten
}

// grid returns that of a product, and looks for it where it is not remembered. Nil remembers nothing.
func (s *grids) grid(of gridKey, find func() grid) grid {
	if s == nil {
		return find()
	}
	for i := range s.of {
		if s.of[i] == of {
			return s.found[i]
		}
	}
	g := find()
	s.of[s.next], s.found[s.next] = of, g
	s.next = (s.next + 1) % len(s.of)
	return g
}

// gridKey is what a grid depends on.
type gridKey struct {
	m, n, k, threads int
	a                aMode
	b                bMode
	after, residual  bool
	mp, np           int
}

// Estimated costs, in cycles of a core that adds up a row of a panel in two for each k. They decide between grids alone.
const (
	tileCost   = 60.  // of a tile beside its sums: its call, and its store
	partCost   = 300. // of a part beside its tiles
	packCost   = 0.5  // of an element of A that is copied
	pieceCost  = 150. // of a row that the functions behind the epilogue get in pieces
	crossCost  = 0.5  // of an element of A that another worker has in its cache
	streamCost = 0.25 // of an element of B
)

// balance looks for a better grid than partition's where that leaves a worker with more than the others. A factor B that each part packs for itself is left alone.
func (p *plan[T]) balance(threads, mr, nr int, memo *grids) {
	if threads == 1 || p.splits > 0 || p.bMode == bLocal || p.args.Watch != nil || p.mParts*p.nParts == 1 || p.mParts*p.nParts >= 4*threads {
		return
	}
	key := gridKey{p.m, p.n, p.k, threads, p.aMode, p.bMode, p.args.After != nil, p.args.Beta != 0, p.mp, p.np}
	if g := memo.grid(key, func() grid { return p.bestGrid(threads, mr, nr) }); g != (grid{p.mp, p.np}) {
		p.mp, p.np = g.mp, g.np
		p.mc = even(p.mp, fit[T](mcMax))
		p.mParts, p.nParts = ceil(p.m, p.mp), ceil(min(p.nc, p.n), p.np)
	}
}

// bestGrid is the grid with the least estimate, partition's unless another gains.
func (p *plan[T]) bestGrid(threads, mr, nr int) grid {
	n := min(p.nc, p.n)
	panels := ceil(n, nr)
	best := grid{p.mp, p.np}
	least := p.gridCost(best, threads, mr, nr) * 0.98
	for rows := 1; rows <= min(ceil(p.m, mr), 4*threads); rows++ {
		for cols := 1; cols <= min(panels, 4*threads) && rows*cols <= 8*threads; cols++ {
			g := grid{ceil(p.m, rows), ceil(panels, cols) * nr}
			if ceil(p.m, g.mp)*ceil(n, g.np) < threads {
				continue
			}
			if c := p.gridCost(g, threads, mr, nr); c < least {
				best, least = g, c
			}
		}
	}
	return best
}

// gridCost estimates how long the worker with the most parts takes.
func (p *plan[T]) gridCost(g grid, threads, mr, nr int) float64 {
	n := min(p.nc, p.n)
	mParts, nParts := ceil(p.m, g.mp), ceil(n, g.np)
	panels := float64(min(ceil(g.np, nr), ceil(n, nr)))
	rows, k := float64(min(g.mp, p.m)), float64(p.packed(p.k))
	part := partCost + panels*(2*rows*k+tileCost*float64(ceil(int(rows), mr)))
	if p.aMode != aDirect {
		part += packCost * rows * k
	}
	if p.args.After != nil && nParts > 1 {
		part += pieceCost * rows
	}
	share := ceil(mParts*nParts, threads)
	cost := float64(share)*part + part/4 // smaller parts make up better for a late worker
	mine := float64(p.m) / float64(threads)
	covered := min(rows*float64(share), float64(p.m))
	cost += crossCost * max(0, covered-mine) * k
	cost += streamCost * float64(ceil(share, mParts)*min(g.np, n)) * k
	return cost
}
