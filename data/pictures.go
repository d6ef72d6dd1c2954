package data

import (
	"context"
	"image"
	"iter"
	"runtime"
	"sync"

	"github.com/stheno-ml/stheno/internal/augment"
	"github.com/stheno-ml/stheno/internal/philox"
)

// How a Loader makes batches of pictures in files: the workers share the pictures of a batch.

// partPictures are the pictures of a batch that a worker prepares at a time.
const partPictures = 8

// PicturePixels is how many pixels a raw batch has room for of each picture in files: op.CropAndResize's P. 0 for images in memory.
func (d *Dataset) PicturePixels() int {
	if d.Files == nil {
		return 0
	}
	return keptPixels(d.Shape)
}

// pictures is what a worker needs to prepare pictures.
type pictures struct {
	reader  pictureReader
	resizer augment.Resizer[float32]
	kept    []byte // of a picture, where floats are made
}

// fault is the first fault of a batch, by the number of the picture in it: the same one however many workers there are.
type fault struct {
	mu    sync.Mutex
	err   error
	image int
}

func (f *fault) clear() { f.err = nil }

func (f *fault) report(image int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil || image < f.image {
		f.err, f.image = err, image
	}
}

// parts is in how many parts batches are prepared.
func (l *Loader) parts() int {
	if l.ds.Files == nil {
		return 1
	}
	return (min(l.cfg.Batch, l.ds.Len())-1)/partPictures + 1
}

// pictureSlot is room for a batch of so many pictures.
func (l *Loader) pictureSlot(batch int) *slot {
	kind := l.cfg.Augment.kind(true)
	b := Batch{Share: 1, Labels: make([]int, batch), Index: make([]int, batch), draws: make([]int, batch*kind.Numbers())}
	b.pictures = augment.Pictures[float32]{Kind: kind, Shape: l.ds.Shape, Affine: l.affine, Planar: l.cfg.Layout == NCHW}
	if l.cfg.Raw {
		b.Pixels = make([]byte, batch*l.ds.PicturePixels()*l.ds.Shape[2])
	} else {
		b.Images = make([]float32, batch*l.ds.PixelCount())
	}
	if kind.Mixup {
		b.Others, b.order, b.spare = make([]int, batch), make([]int, batch), make([]float32, l.ds.PixelCount())
	}
	return &slot{ready: make(chan struct{}, 1), batch: b}
}

// begin says which pictures are those of batch k of an epoch, and what they are mixed with.
func (l *Loader) begin(b *Batch, perm []int32, epoch uint32, k int) {
	first := k * l.cfg.Batch
	b.Number = k
	b.N = min(l.cfg.Batch, l.Len()-first)
	b.Labels, b.Index, b.draws = b.Labels[:b.N], b.Index[:b.N], b.draws[:b.N*b.pictures.Numbers()]
	b.pictures.Draws = b.draws
	for i := range b.N {
		s := int(perm[first+i])
		b.Index[i], b.Labels[i] = s, int(l.ds.Labels[s])
	}
	if b.pictures.Mixup {
		b.Others, b.order = b.Others[:b.N], b.order[:b.N]
		share := l.cfg.Augment.mix(b.draws, b.order, b.pictures.Kind, l.cfg.Seed, epoch, uint32(k))
		b.Share = float32(share) / augment.Whole
		for i, with := range b.order {
			b.Others[i] = b.Labels[with]
		}
	}
	if l.cfg.Raw {
		b.Pixels, b.Draws = b.Pixels[:b.N*l.ds.PicturePixels()*l.ds.Shape[2]], b.draws
	} else {
		b.Images = b.Images[:b.N*l.ds.PixelCount()]
	}
}

// fillPart prepares some pictures of a batch.
func (l *Loader) fillPart(s *slot, p *pictures, epoch uint32, part int) {
	b, key := &s.batch, philox.Key(l.cfg.Seed)
	room, size, width := l.ds.PicturePixels()*l.ds.Shape[2], l.ds.PixelCount(), b.pictures.Numbers()
	for i := part * partPictures; i < min(b.N, (part+1)*partPictures); i++ {
		p.reader.exif = l.cfg.EXIFOrientation
		index := uint32(b.Index[i])
		m, err := l.picture(&p.reader, b.Index[i], func(h, w int) image.Rectangle {
			c := l.cutOf(h, w, epoch, index)
			return image.Rect(c.left, c.top, c.right, c.bottom)
		})
		if err != nil {
			s.fault.report(i, err)
			return
		}
		c := l.cutOf(m.Bounds().Dy(), m.Bounds().Dx(), epoch, index)
		draw := b.draws[i*width : (i+1)*width]
		c.box.Put(draw)
		l.cfg.Augment.putSquare(draw, b.pictures.Kind, key, epoch, index, l.ds.Shape)
		if l.cfg.Raw {
			p.reader.keep(b.Pixels[i*room:(i+1)*room], m, c)
			continue
		}
		if p.kept == nil {
			p.kept = make([]byte, room)
		}
		p.reader.keep(p.kept, m, c)
		b.pictures.MakeOwn(b.Images[i*size:(i+1)*size], i, p.kept, &p.resizer)
	}
}

// finish is called when all pictures of a batch are prepared: now they can be mixed.
func (l *Loader) finish(s *slot) {
	if b := &s.batch; b.pictures.Mixup && !l.cfg.Raw && s.fault.err == nil {
		b.pictures.MixAll(b.Images, b.spare)
	}
}

// cutOf decides what is kept of a picture of h×w pixels.
func (l *Loader) cutOf(h, w int, epoch, index uint32) cut {
	key := philox.Key(l.cfg.Seed)
	flip := l.cfg.Augment.draw(key, epoch, index).Flip
	if l.cfg.Augment.RandomResizedCrop {
		return cutFor(randomWindow(key, epoch, index, h, w), h, w, l.ds.Shape, false, flip)
	}
	return cutFor(middleWindow(h, w, l.ds.Shape[0]), h, w, l.ds.Shape, true, flip)
}

// Picture reads a PNG or JPEG file as tests have the pictures of a folder: its middle becomes an image of size × size, size·size·3 numbers
// in NHWC. Errors are *ImageError, or say what is wrong with n or size.
func (n Normalize) Picture(path string, size int) ([]float32, error) {
	return LoaderConfig{Normalize: n}.Picture(path, size)
}

// Picture is Normalize's Picture, turned as EXIF says if EXIFOrientation is set. Of c only these two are looked at.
func (c LoaderConfig) Picture(path string, size int) ([]float32, error) {
	d := &Dataset{Name: path, Shape: [3]int{size, size, 3}, Classes: []string{""}, Labels: make([]int32, 1), Files: &Files{Names: []string{path}}}
	l, err := NewLoader(d, LoaderConfig{Batch: 1, Normalize: c.Normalize, EXIFOrientation: c.EXIFOrientation})
	if err != nil {
		return nil, err
	}
	var p pictures
	s := l.pictureSlot(1)
	l.begin(&s.batch, []int32{0}, 0, 0)
	l.fillPart(s, &p, 0, 0)
	return s.batch.Images, s.fault.err
}

// CheckPictures decodes all pictures of a set in files, on all CPUs, and yields an *ImageError for each that cannot be used, with its
// number, in order. It ends early when ctx ends.
func CheckPictures(ctx context.Context, d *Dataset) iter.Seq2[int, error] {
	return new(PictureCheck).All(ctx, d)
}

// PictureCheck looks at the pictures of sets in files, and counts; the zero value is ready.
type PictureCheck struct {
	// Turned are those with an EXIF orientation other than upright, of what All has gone through.
	Turned int
	// Progress, if not nil, is called now and then with the number of pictures that All has gone through, of all sets.
	Progress func(done int)

	done int
}

// All is CheckPictures.
func (c *PictureCheck) All(ctx context.Context, d *Dataset) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		if d.Files == nil {
			return
		}
		workers := runtime.GOMAXPROCS(0)
		const ahead = 16 // of each worker
		errs, turned, readers := make([]error, workers*ahead), make([]bool, workers*ahead), make([]pictureReader, workers)
		for first := 0; first < d.Len() && ctx.Err() == nil; first += len(errs) {
			n := min(len(errs), d.Len()-first)
			var wg sync.WaitGroup
			for k := range workers {
				wg.Go(func() {
					for i := k; i < n && ctx.Err() == nil; i += workers { // a large one takes a moment
						_, errs[i] = readers[k].read(d.Files.Path(first+i), wholePicture)
						turned[i] = errs[i] == nil && orientation(readers[k].file.Bytes()) != upright
					}
				})
			}
			wg.Wait()
			if ctx.Err() != nil {
				return
			}
			for i, err := range errs[:n] {
				if turned[i] {
					c.Turned++
				}
				if err != nil && !yield(first+i, err) {
					return
				}
			}
			if c.done += n; c.Progress != nil {
				c.Progress(c.done)
			}
		}
	}
}
