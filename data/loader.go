package data

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/stheno-ml/stheno/internal/augment"
	"github.com/stheno-ml/stheno/internal/philox"
)

// LoaderConfig says how a data set is cut into batches. Batch is required; the zero values of the others mean: in
// order, unaltered, scaled to 0–1, NHWC, one worker per two CPUs.
type LoaderConfig struct {
	Batch     int       // images per batch, at least 1
	Seed      uint64    // of shuffling and augmentation
	Shuffle   bool      // a new order in every epoch
	Augment   Augment   // random variation, for training
	Normalize Normalize // bytes to float32
	Layout    Layout    // "" or NHWC, or NCHW
	Raw       bool      // batches of Pixels and Draws, for op.Augment or op.CropAndResize to make the same images of; NHWC only
	Indexed   bool      // with Raw: batches without Pixels, for op.Augment to take them from the whole set, Dataset().Images, by Index
	DropLast  bool      // leave out a last batch that is not full
	Workers   int       // goroutines that prepare batches; 0: half of GOMAXPROCS, at least 1, or of files GOMAXPROCS. No effect on the values
	Prefetch  int       // batches prepared ahead; 0: one more than Workers, or of files, of which all workers prepare one batch, 2
	Limit     int       // use so many images only, those of Dataset.Head; 0: all

	// SkipDamaged gives a picture in a file that cannot be decoded the pixels of another one of its class: the next in their order that
	// can be, after the last one the first. Loader.Damaged has them.
	SkipDamaged bool
	// EXIFOrientation turns pictures in files as the mark of how the camera was held says, as viewers show them. Without it they are as
	// their pixels lie in the file, which is how torchvision, Keras and TensorFlow read them.
	EXIFOrientation bool
}

// Loader serves a data set in batches, epoch by epoch. Its methods may be called from several goroutines.
type Loader struct {
	ds     *Dataset
	cfg    LoaderConfig
	tables []augment.Table[float32]
	affine augment.Affine[float32] // of pictures in files

	mu    sync.Mutex
	spare []*ring // buffers of closed iterators, used again by the next

	damaged damaged
}

// NewLoader checks ds and cfg and starts nothing yet. The set must not be changed afterwards.
func NewLoader(ds *Dataset, cfg LoaderConfig) (*Loader, error) {
	if err := ds.Validate(); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name       string
		value, low int
	}{{"Batch", cfg.Batch, 1}, {"Workers", cfg.Workers, 0}, {"Prefetch", cfg.Prefetch, 0}, {"Limit", cfg.Limit, 0},
		{"Augment.PadCrop", cfg.Augment.PadCrop, 0}, {"Augment.Cutout", cfg.Augment.Cutout, 0}} {
		if f.value < f.low {
			return nil, fmt.Errorf("data: LoaderConfig.%s is %d; expected %d or more", f.name, f.value, f.low)
		}
	}
	if err := cfg.Augment.check(ds.Shape, ds.Files != nil); err != nil {
		return nil, err
	}
	if err := cfg.Layout.check(); err != nil {
		return nil, err
	}
	if cfg.Raw && cfg.Layout == NCHW {
		return nil, fmt.Errorf("data: LoaderConfig.Raw excludes Layout %q, which op.Augment has not", NCHW)
	}
	if cfg.Indexed && ds.Files != nil {
		return nil, errors.New("data: LoaderConfig.Indexed is for images in memory; these lie in files")
	}
	if cfg.Indexed && !cfg.Raw {
		return nil, errors.New("data: LoaderConfig.Indexed goes with Raw: there are no images in such batches")
	}
	tables, err := cfg.Normalize.tables(ds.Shape[2])
	if err != nil {
		return nil, err
	}
	l := &Loader{ds: ds.Head(cfg.Limit), cfg: cfg, tables: tables, affine: cfg.Normalize.affine(ds.Shape[2])}
	if l.ds.Len() > math.MaxInt32 {
		return nil, fmt.Errorf("data: %s holds %d images; at most %d can be shuffled", ds.Name, ds.Len(), math.MaxInt32)
	}
	if cfg.DropLast && l.ds.Len() < cfg.Batch {
		return nil, fmt.Errorf("data: %d images give no full batch of %d, and DropLast leaves out the rest", l.ds.Len(), cfg.Batch)
	}
	if l.cfg.Workers == 0 {
		l.cfg.Workers = max(1, runtime.GOMAXPROCS(0)/2)
		if ds.Files != nil {
			l.cfg.Workers = runtime.GOMAXPROCS(0)
		}
	}
	if l.cfg.Prefetch == 0 {
		l.cfg.Prefetch = l.cfg.Workers + 1
		if ds.Files != nil {
			l.cfg.Prefetch = 2
		}
	}
	return l, nil
}

// Len is the number of images in an epoch, those of an incomplete last batch included unless DropLast.
func (l *Loader) Len() int {
	if l.cfg.DropLast {
		return l.ds.Len() / l.cfg.Batch * l.cfg.Batch
	}
	return l.ds.Len()
}

// Batches is the number of batches in an epoch.
func (l *Loader) Batches() int { return (l.Len()-1)/l.cfg.Batch + 1 }

// Dataset returns what is served, after Limit.
func (l *Loader) Dataset() *Dataset { return l.ds }

// Config returns what the loader was made with, Workers and Prefetch filled in.
func (l *Loader) Config() LoaderConfig { return l.cfg }

// order writes the samples of an epoch in order: the identity, or a Fisher–Yates shuffle that depends on (seed,
// epoch) and the number of samples only.
func (l *Loader) order(perm []int32, epoch uint32) {
	for i := range perm {
		perm[i] = int32(i)
	}
	if !l.cfg.Shuffle {
		return
	}
	s := philox.NewSequence(l.cfg.Seed, epoch, 0, philox.StreamShuffle)
	for i := len(perm) - 1; i > 0; i-- {
		j := s.Intn(uint32(i + 1))
		perm[i], perm[j] = perm[j], perm[i]
	}
}

// fill prepares batch k of an epoch in b.
func (l *Loader) fill(b *Batch, perm []int32, epoch uint32, k int) {
	first := k * l.cfg.Batch
	b.Number = k
	b.N = min(l.cfg.Batch, l.Len()-first)
	size := l.ds.PixelCount()
	b.Labels, b.Index = b.Labels[:b.N], b.Index[:b.N]
	aug, key := l.cfg.Augment, philox.Key(l.cfg.Seed)
	width := aug.kind(false).Numbers()
	draws := b.draws[:b.N*width]
	for i := range b.N {
		s := int(perm[first+i])
		b.Index[i], b.Labels[i] = s, int(l.ds.Labels[s])
		aug.put(draws[i*width:(i+1)*width], key, epoch, uint32(s), l.ds.Shape)
	}
	if aug.Mixup > 0 {
		b.Others, b.order = b.Others[:b.N], b.order[:b.N]
		share := aug.mix(draws, b.order, aug.kind(false), l.cfg.Seed, epoch, uint32(k))
		b.Share = float32(share) / augment.Whole
		for i, with := range b.order {
			b.Others[i] = b.Labels[with]
		}
	}
	if l.cfg.Raw {
		b.Draws = draws
	}
	switch {
	case l.cfg.Indexed:
	case l.cfg.Raw:
		b.Pixels = b.Pixels[:b.N*size]
		for i, s := range b.Index {
			copy(b.Pixels[i*size:], l.ds.Image(s))
		}
	default:
		b.Images = b.Images[:b.N*size]
		b.source.Index, b.source.Draws = b.Index, draws
		for i := range b.N {
			augment.Make(b.Images[i*size:(i+1)*size], &b.source, i, l.tables, b.spare)
		}
	}
}
