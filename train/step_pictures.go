package train

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph/op"
)

// picturesIn is how images are made of raw batches of pictures in files.
type picturesIn struct {
	op     op.CropAndResize
	pixels int // room for a picture
}

// cropOf is what makes images of the raw batches of a loader of pictures in files, nil where it makes them itself.
func cropOf(l *data.Loader) *picturesIn {
	return cropOfPictures(l.Config(), l.Dataset())
}

func cropOfPictures(c data.LoaderConfig, d *data.Dataset) *picturesIn {
	if !c.Raw {
		return nil
	}
	return &picturesIn{op.CropAndResize{Height: d.Shape[0], Width: d.Shape[1], Cutout: c.Augment.Cutout, Mixup: c.Augment.Mixup > 0,
		Raw: c.Normalize.Raw, Mean: c.Normalize.Mean, Std: c.Normalize.Std}, d.PicturePixels()}
}

// cropped are the images that kind.crop makes of a batch's pictures.
func (s *Step) cropped(g *gorgonia.ExprGraph, batch tensor.Shape, kind stepKind) (*gorgonia.Node, error) {
	o := kind.crop.op
	if want := []int{o.Height, o.Width}; len(batch) != 4 || !slices.Equal(batch[1:3], want) || batch[3] != 3 {
		return nil, fmt.Errorf("train: the model takes images of %s, the loader makes %d×%d×3 of pictures", sides(batch[1:]), o.Height, o.Width)
	}
	pictures, bytes := input[byte](g, "pictures", kind.shapesOnly, batch[0], kind.crop.pixels, 3)
	draws, numbers := input[int](g, "draws", kind.shapesOnly, batch[0], o.Numbers())
	s.pixels, s.draws = bytes, numbers
	return op.Apply(&o, pictures, draws)
}
