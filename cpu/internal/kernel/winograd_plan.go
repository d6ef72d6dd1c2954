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
