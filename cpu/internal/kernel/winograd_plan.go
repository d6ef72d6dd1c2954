package kernel

// winogradPlan is how the work of winogradConv is cut. The order of sums depends on channels alone, and so on the shape: the
// number of threads shows in the other sizes, but not in the results.
type winogradPlan struct {
	byFilters bool
	all       int // tiles that are transformed before their products; by tiles those of a block
	tiles     int // of a block
	filters   int // of a block, a multiple of the product's panels
	channels  int // whose products are added up at a time
}

// Sizes in elements were found by measurement on cores with 48 KiB, 1 MiB and a share of 32 MiB of the caches' levels; the optima
// are flat.
const (
	winogradFilters = 128 * 128 // most channels × filters by tiles: 2.4 MB when they are transformed
	winogradTiles   = 96        // least tiles for it
	winogradShared  = 3 << 20   // transformed pixels that lie in the third-level cache
	winogradDepth   = 128       // channels of a block
)

func planWinograd(tiles, c, f, panel, threads int) winogradPlan {
	if c*f <= winogradFilters && tiles >= winogradTiles {
		blocks := ceilDiv(tiles, 24) // some 900 KiB at 128 channels and filters
		if blocks < 8*threads {
			blocks = ceilDiv(blocks, threads) * threads
		}
		n := ceilDiv(tiles, blocks)
		return winogradPlan{all: n, tiles: n, filters: 128, channels: c}
	}
	p := winogradPlan{byFilters: true, filters: 64, channels: winogradDepth}
	p.all = ceilDiv(tiles, ceilDiv(tiles, max(winogradShared/(36*c), 64)))
	p.tiles = ceilDiv(p.all, ceilDiv(p.all, 64))
	if ceilDiv(f, p.filters)*ceilDiv(p.all, p.tiles) < 4*threads {
		p.filters = max(panel, 32)
	}
	return p
}

// winogradFilterPlan is how the work of winogradFilter is cut. Sums are added in the order of the tiles, chunk by chunk, and the
// length of chunks depends on the shape alone; the number of threads shows in the blocks only.
type winogradFilterPlan struct {
	tiles    int // of a chunk
	channels int // of a block
	filters  int // of a block, a multiple of the product's panels
}

const (
	winogradSide     = 64      // channels and filters of a block: products of 600 KB, in the second-level cache
	winogradChunk    = 2 << 20 // transformed pixels of a chunk, in the third-level cache,
	winogradLarge    = 5 << 20 // and of one with more products than winogradFilters, which take as long to add to as to write
	winogradDeepest  = 512     // tiles of a chunk: a panel of them lies near the first-level cache, and sums stay short
	winogradLeastRow = 16      // least channels of a block
)

func planWinogradFilter(tiles, c, f, panel, threads int) winogradFilterPlan {
	p := winogradFilterPlan{channels: winogradSide, filters: max(winogradSide, panel)}
	p.channels, p.filters = min(p.channels, roundUp(c, winogradLeastRow)), min(p.filters, roundUp(f, panel))
	for ceilDiv(c, p.channels)*ceilDiv(f, p.filters) < 2*threads {
		switch {
		case p.channels > 2*winogradLeastRow:
			p.channels = roundUp(p.channels/2, winogradLeastRow)
		case p.filters > panel:
			p.filters = roundUp(p.filters/2, panel)
		case p.channels > winogradLeastRow:
			p.channels = winogradLeastRow
		default:
			p.tiles = filterChunk(tiles, c, f)
			return p
		}
	}
	p.tiles = filterChunk(tiles, c, f)
	return p
}

// filterChunk is the number of tiles that are transformed before their products.
func filterChunk(tiles, c, f int) int {
	most, all := winogradChunk, 36*tiles*(c+f)
	if c*f > winogradFilters {
		most = winogradLarge
	}
	if all <= 36*c*f { // products of all blocks would need more memory than that
		most = all
	}
	n := min(max(most/(36*(c+f)), 16), winogradDeepest)
	return ceilDiv(tiles, ceilDiv(tiles, n))
}

// roundUp is the least multiple of unit that is not less than n.
func roundUp(n, unit int) int { return ceilDiv(n, unit) * unit }
