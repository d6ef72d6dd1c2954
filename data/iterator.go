package data

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/stheno-ml/stheno/internal/augment"
)

// Batch is a number of images ready for a network. It belongs to its Iterator and is valid until the next call of
// Next or Close; copy what has to live longer.
type Batch struct {
	Number int       // of this batch in its epoch, from 0
	N      int       // images: LoaderConfig.Batch, or fewer in the last batch
	Images []float32 // N×H×W×C or N×C×H×W; nil if LoaderConfig.Raw
	Labels []int     // N class numbers
	Index  []int     // N positions in the data set

	// With Augment.Mixup, the labels of what is mixed in, of which the images have 1−Share. Share is from a half to 1, and 1 without Mixup.
	Others []int // N class numbers; nil without Mixup
	Share  float32

	// With LoaderConfig.Raw, what op.Augment makes the images of, or op.CropAndResize of pictures in files; else nil.
	Pixels []byte // N×H×W×C; nil with LoaderConfig.Indexed, where Index takes its place; of files N×PicturePixels×C
	// N×3: by how many rows and columns an image is moved, and 1 if it is mirrored. Of files N×7, as op.CropAndResize says. With
	// Augment.Cutout and Augment.Mixup there are more, as op.Augment says.
	Draws []int

	draws  []int         // room for Draws, which floats are made of, too
	order  []int         // room for an order of the images, with Mixup
	spare  []float32     // room for an image, with Mixup
	source augment.Batch // what floats are made of

	pictures augment.Pictures[float32] // what floats are made of, of files
}

// Iterator walks over the batches of one epoch. It is for one goroutine. Close it when done, at the end of the epoch too.
type Iterator struct {
	loader *Loader
	epoch  uint32
	ring   *ring
	todo   chan job
	wg     sync.WaitGroup
	next   int // batch that the coming Next delivers
	last   int // one past the epoch's last batch
	held   *slot
	err    error
	closed bool
}

// slot is one buffer of the ring. Batch k always uses slot k mod len(ring): the order of delivery is fixed whatever
// the order of completion.
type slot struct {
	batch Batch
	ready chan struct{} // holds one token when the batch is prepared

	left atomic.Int32 // parts of the batch that are not prepared
	fault
}

type ring struct {
	slots []*slot
	perm  []int32
}

type job struct {
	batch int
	slot  *slot
	part  int // of the batch
}

// Epoch starts preparing the batches of an epoch (0, 1, …) in the background, from startBatch on: 0 for a whole
// epoch, or the number of batches already used when an interrupted epoch is taken up again, whose rest is then exactly
// what it would have been. startBatch equal to Batches gives an empty epoch. Negative numbers and a startBatch beyond the
// end make Next return false and Err say so.
func (l *Loader) Epoch(epoch, startBatch int) *Iterator {
	it := &Iterator{loader: l, next: startBatch, last: l.Batches()}
	if epoch < 0 || int64(epoch) > math.MaxUint32 || startBatch < 0 || startBatch > it.last {
		it.err = fmt.Errorf("data: epoch %d from batch %d on: the epoch must be in 0 … %d and the batch in 0 … %d",
			epoch, startBatch, uint32(math.MaxUint32), it.last)
		it.closed = true
		return it
	}
	it.epoch = uint32(epoch)
	it.ring = l.takeRing()
	l.order(it.ring.perm, it.epoch)
	// As many jobs as slots have parts are ever under way, so sending to todo never waits.
	it.todo = make(chan job, len(it.ring.slots)*l.parts())
	for k := startBatch; k < min(it.last, startBatch+len(it.ring.slots)); k++ {
		it.request(k)
	}
	for range min(l.cfg.Workers, cap(it.todo)) {
		it.wg.Go(it.work)
	}
	return it
}

func (it *Iterator) request(k int) {
	s, parts := it.ring.slots[k%len(it.ring.slots)], it.loader.parts()
	s.left.Store(int32(parts))
	s.fault.clear()
	if it.loader.ds.Files != nil {
		it.loader.begin(&s.batch, it.ring.perm, it.epoch, k)
	}
	for part := range parts {
		it.todo <- job{k, s, part}
	}
}

func (it *Iterator) work() {
	var p pictures
	for j := range it.todo {
		if it.loader.ds.Files != nil {
			it.loader.fillPart(j.slot, &p, it.epoch, j.part)
		} else {
			it.loader.fill(&j.slot.batch, it.ring.perm, it.epoch, j.batch)
		}
		if j.slot.left.Add(-1) == 0 {
			if it.loader.ds.Files != nil {
				it.loader.finish(j.slot)
			}
			j.slot.ready <- struct{}{}
		}
	}
}

// Next waits for the next batch and reports whether there is one. It is false at the end of the epoch, after Close,
// when a file cannot be used, and when ctx ends, which Err then tells. The batch before becomes invalid.
func (it *Iterator) Next(ctx context.Context) bool {
	if it.closed || it.err != nil {
		return false
	}
	if err := ctx.Err(); err != nil {
		it.err = err
		return false
	}
	if it.held != nil {
		// The slot given back serves the batch one turn of the ring later.
		it.held = nil
		if k := it.next - 1 + len(it.ring.slots); k < it.last {
			it.request(k)
		}
	}
	if it.next >= it.last {
		return false
	}
	s := it.ring.slots[it.next%len(it.ring.slots)]
	select {
	case <-s.ready:
	case <-ctx.Done():
		it.err = ctx.Err()
		return false
	}
	if it.err = s.fault.err; it.err != nil {
		return false
	}
	it.held = s
	it.next++
	return true
}

// Batch returns the batch of the latest Next that returned true, nil before that or at the end.
func (it *Iterator) Batch() *Batch {
	if it.held == nil {
		return nil
	}
	return &it.held.batch
}

// Err returns why Next returned false: nil at the end of the epoch, ctx's error, an *ImageError of a file, or the fault of Epoch's
// arguments.
func (it *Iterator) Err() error { return it.err }

// Close stops the workers, waits for them, and keeps the buffers for the loader's next epoch. It may be called more than
// once and always returns nil.
func (it *Iterator) Close() error {
	if it.closed {
		return nil
	}
	it.closed = true
	it.held = nil
	close(it.todo)
	for range it.todo { // what no worker has begun need not be prepared
	}
	it.wg.Wait()
	for _, s := range it.ring.slots {
		select {
		case <-s.ready:
		default:
		}
	}
	it.loader.putRing(it.ring)
	it.ring = nil
	return nil
}

// takeRing returns buffers: one for each batch prepared ahead and one that the consumer holds.
func (l *Loader) takeRing() *ring {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.spare); n > 0 {
		r := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return r
	}
	r := &ring{perm: make([]int32, l.ds.Len())}
	batch := min(l.cfg.Batch, l.ds.Len())
	for range min(l.cfg.Prefetch, l.Batches()-1) + 1 {
		if l.ds.Files != nil {
			r.slots = append(r.slots, l.pictureSlot(batch))
			continue
		}
		kind := l.cfg.Augment.kind(false)
		b := Batch{Share: 1, Labels: make([]int, batch), Index: make([]int, batch), draws: make([]int, batch*kind.Numbers())}
		b.source = augment.Batch{Kind: kind, Shape: l.ds.Shape, Images: l.ds.Images, Planar: l.cfg.Layout == NCHW}
		if kind.Mixup {
			b.Others, b.order, b.spare = make([]int, batch), make([]int, batch), make([]float32, l.ds.PixelCount())
		}
		switch {
		case l.cfg.Indexed:
		case l.cfg.Raw:
			b.Pixels = make([]byte, batch*l.ds.PixelCount())
		default:
			b.Images = make([]float32, batch*l.ds.PixelCount())
		}
		r.slots = append(r.slots, &slot{ready: make(chan struct{}, 1), batch: b})
	}
	return r
}

func (l *Loader) putRing(r *ring) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spare = append(l.spare, r)
}
