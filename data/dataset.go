package data

import (
	"cmp"
	"fmt"
	"slices"
)

// Dataset is a set of labelled images in memory, or of the files they are made of. It is read-only once made, so any number of loaders
// can share it.
type Dataset struct {
	Name    string   // "cifar100/train"
	Shape   [3]int   // height, width, channels of one image
	Classes []string // names of the classes; label k is Classes[k]
	Images  []byte   // N×H×W×C, values 0–255, NHWC (row by row, the channels of a pixel adjacent)
	Labels  []int32  // N class numbers, 0 … len(Classes)-1

	// Files are pictures of any size that images of the shape are made of, square ones of three channels. Images is nil then.
	Files *Files

	// CIFAR-100 groups its 100 classes into 20 superclasses. Both are empty for other sets; see Coarse.
	CoarseClasses []string
	CoarseLabels  []int32 // N numbers, 0 … len(CoarseClasses)-1
}

// Split is a data set as its authors divided it, and where it came from.
type Split struct {
	Name   string   // the name given to Open: "cifar100"
	Title  string   // "CIFAR-100"
	Source string   // folder, archive, or "built in"
	Cite   string   // what to cite, one line
	Train  *Dataset // nil when opened with Options.TestOnly
	Test   *Dataset
	Files  []FileStatus // every file read, with its digest
}

// Len is the number of images.
func (d *Dataset) Len() int { return len(d.Labels) }

// PixelCount is the number of bytes of one image, H·W·C.
func (d *Dataset) PixelCount() int { return d.Shape[0] * d.Shape[1] * d.Shape[2] }

// Image returns the pixels of image i, H×W×C, without copying: the caller must not change them. i must be in
// 0 … Len()-1, and the images in memory.
func (d *Dataset) Image(i int) []byte {
	n := d.PixelCount()
	return d.Images[i*n : (i+1)*n : (i+1)*n]
}

// Head returns the first n images as a data set that shares d's memory; all of them when n is 0, negative, or more
// than there are. Of Files, which are in the order of their classes, it is n images evenly spread.
func (d *Dataset) Head(n int) *Dataset {
	if n <= 0 || n >= d.Len() {
		return d
	}
	if d.Files != nil {
		return d.spread(n)
	}
	h := *d
	h.Images, h.Labels = d.Images[:n*d.PixelCount()], d.Labels[:n]
	if d.CoarseLabels != nil {
		h.CoarseLabels = d.CoarseLabels[:n]
	}
	return &h
}

// Coarse returns the same images with the superclasses as classes (CIFAR-100: 20), sharing d's memory.
func (d *Dataset) Coarse() (*Dataset, error) {
	if len(d.CoarseClasses) == 0 {
		return nil, fmt.Errorf("data: %s has no coarse labels; only cifar100 has", d.Name)
	}
	c := *d
	c.Name += "/coarse"
	c.Classes, c.Labels = d.CoarseClasses, d.CoarseLabels
	c.CoarseClasses, c.CoarseLabels = nil, nil
	return &c, nil
}

// Expand returns a copy whose images are h×w×c: a black border is added evenly (the smaller half of an odd border at
// the top and left), and a single grey channel is repeated c times. It is how 28×28×1 images reach a network made for
// 32×32×3. It cannot shrink images or change a number of channels other than 1.
func (d *Dataset) Expand(h, w, c int) (*Dataset, error) {
	sh, sw, sc := d.Shape[0], d.Shape[1], d.Shape[2]
	const most = 1 << 15
	if d.Files != nil {
		return nil, fmt.Errorf("data: %s lies in files, whose pictures become images of any size when they are loaded: there is nothing to expand", d.Name)
	}
	if h < sh || w < sw || c < 1 || h > most || w > most || c > most || (c != sc && sc != 1) {
		return nil, fmt.Errorf("data: %s holds %d×%d×%d images, which a border and repeated grey cannot turn into %d×%d×%d",
			d.Name, sh, sw, sc, h, w, c)
	}
	if err := d.Validate(); err != nil {
		return nil, err
	}
	e := *d
	e.Shape = [3]int{h, w, c}
	e.Images = make([]byte, d.Len()*h*w*c)
	top, left := (h-sh)/2, (w-sw)/2
	for i := range d.Len() {
		src := d.Image(i)
		for y := range sh {
			row := src[y*sw*sc : (y+1)*sw*sc]
			dst := e.Images[((i*h+top+y)*w+left)*c:]
			if c == sc {
				copy(dst, row)
				continue
			}
			for x, v := range row {
				for k := range c {
					dst[x*c+k] = v
				}
			}
		}
	}
	return &e, nil
}

// Validate checks that the parts of d fit together: positive shape, as many pixels as labels ask for, labels in range.
// Sets from Open have passed it; use it on one put together by hand. The first fault found is returned.
func (d *Dataset) Validate() error {
	if d == nil {
		return fmt.Errorf("data: the data set is nil")
	}
	name := cmp.Or(d.Name, "the data set")
	for _, n := range d.Shape {
		if n <= 0 || n > 1<<15 {
			return fmt.Errorf("data: %s: image shape %d×%d×%d; each must be in 1 … 32768", name, d.Shape[0], d.Shape[1], d.Shape[2])
		}
	}
	if d.Len() == 0 {
		return fmt.Errorf("data: %s holds no images", name)
	}
	switch n := len(d.Images); {
	case d.Files != nil && (len(d.Files.Names) != d.Len() || n != 0 || d.Shape[2] != 3 || d.Shape[0] != d.Shape[1]):
		return fmt.Errorf("data: %s: %d labels of files want as many names, no pixel bytes, and square images of 3 channels, there are %d, %d and %d×%d×%d",
			name, d.Len(), len(d.Files.Names), n, d.Shape[0], d.Shape[1], d.Shape[2])
	case d.Files == nil && (n%d.PixelCount() != 0 || n/d.PixelCount() != d.Len()):
		return fmt.Errorf("data: %s: %d labels of %d×%d×%d images want %d pixel bytes, there are %d", name, d.Len(),
			d.Shape[0], d.Shape[1], d.Shape[2], d.Len()*d.PixelCount(), n)
	}
	if err := labelsInRange(name, "label", d.Labels, len(d.Classes)); err != nil {
		return err
	}
	if len(d.CoarseLabels) != 0 && len(d.CoarseLabels) != d.Len() {
		return fmt.Errorf("data: %s: %d coarse labels for %d images", name, len(d.CoarseLabels), d.Len())
	}
	return labelsInRange(name, "coarse label", d.CoarseLabels, len(d.CoarseClasses))
}

func labelsInRange(set, what string, labels []int32, classes int) error {
	bad := func(l int32) bool { return l < 0 || int(l) >= classes }
	if i := slices.IndexFunc(labels, bad); i >= 0 {
		return fmt.Errorf("data: %s: %s of image %d: expected 0 … %d, found %d", set, what, i, classes-1, labels[i])
	}
	return nil
}
