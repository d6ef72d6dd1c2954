package kernel

import "fmt"

// sharing is how blocks share the sums of an image: so many of them on a multiprocessor at the same time, BLOCKS of packs.cuh, and so many of
// such waves one behind the other. Another one has other parts of sums, and so other bits; each has the same bits in every run.
type sharing struct{ blocks, waves int64 }

// sumBlocks is how many blocks that sum run on a multiprocessor at the same time without a measurement.
const sumBlocks = 2

// oneWave is what is done without a measurement: all blocks run at the same time.
var oneWave = sharing{sumBlocks, 1}

// biasSharings and normSharings are others that are worth a measurement, for sums with few constants of a channel, and with many. More blocks
// have fewer registers for a thread, which reads less at once, and more threads that compute while others wait. Of two waves the blocks of
// the second begin where those of the first were fast, and read while others join what they have; there are twice as many parts.
var (
	biasSharings = []sharing{{4, 1}, {sumBlocks, 2}}
	normSharings = []sharing{{3, 1}, {sumBlocks, 2}}
)

// ShareBytes is from how many bytes on, read and written, sums are shared in several ways where ways are measured. Fewer take a few
// microseconds, of which none saves much.
const ShareBytes = 8 << 20

// String is "2 blocks" or "2 blocks, 2 waves".
func (h sharing) String() string {
	if h.waves == 1 {
		return fmt.Sprintf("%d blocks", h.blocks)
	}
	return fmt.Sprintf("%d blocks, %d waves", h.blocks, h.waves)
}

// defines are those of packs.cuh.
func (h sharing) defines() []string {
	if h.blocks == sumBlocks {
		return nil
	}
	return []string{fmt.Sprint("BLOCKS ", h.blocks)}
}

// sharings are oneWave, and others where the images that a step sums are large enough, and the sums of more than one part.
func (b *Builder) sharings(p packing, of images, few int64, others []sharing) []sharing {
	bytes := int64(0)
	for _, v := range of {
		bytes += int64(v.StoredBytes())
	}
	all, first := []sharing{oneWave}, b.summing(p, few, oneWave)
	if b.Share == 0 || bytes < b.Share || first.parts() == 1 {
		return all
	}
	for _, h := range others {
		if b.summing(p, few, h).grid != first.grid { // there may be too little for more blocks
			all = append(all, h)
		}
	}
	return all
}

// eachSharing offers the commands of a step with each of some sharings.
func (b *Builder) eachSharing(all []sharing, list func(sharing) []Command) []Command {
	var ways []alternative
	for _, h := range all {
		ways = append(ways, alternative{h.String(), func() []Command { return list(h) }})
	}
	return b.choice(ways...)
}
