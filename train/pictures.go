package train

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/internal/suggest"
)

// What is peculiar to runs on pictures in files.

// sides writes a shape as 32×32×3.
func sides(shape []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]()"), " ", "×")
}

// putBack is the remedy where the pictures of a run are others than they were.
func putBack(s *data.Split) string {
	if s.Train.Files == nil {
		return ""
	}
	return ", with the pictures that the run began with: damaged ones, too, which --skip-damaged puts others in the place of"
}

// checkPictures refuses what is for pictures in a folder only, or not for them.
func (c Config) checkPictures() error {
	if c.Data == data.FolderName {
		return nil
	}
	switch {
	case c.Size != 0:
		return fmt.Errorf("train: --size goes with --data %s; the images of %s have a size of their own", data.FolderName, c.Data)
	case c.ValSplit != 0:
		return fmt.Errorf("train: --val-split goes with --data %s; %s has test images of its own", data.FolderName, c.Data)
	case c.EXIF == EXIFApply:
		return fmt.Errorf("train: --exif goes with --data %s; the images of %s are as they are published", data.FolderName, c.Data)
	case c.SkipDamaged:
		return fmt.Errorf("train: --skip-damaged goes with --data %s; the images of %s are checked when they are read", data.FolderName, c.Data)
	}
	return nil
}

// Values of Config.EXIF: whether pictures are turned as their EXIF orientation says, which viewers show them in, or are seen as their pixels
// lie in the file, as torchvision's and Keras's loaders see them.
const (
	EXIFIgnore = "ignore"
	EXIFApply  = "apply"
)

// CheckEXIF refuses what Config.EXIF cannot be.
func CheckEXIF(value string) error {
	if known := []string{EXIFIgnore, EXIFApply}; value != "" && !slices.Contains(known, value) {
		return fmt.Errorf("train: --exif wants %s, got %q%s", strings.Join(known, " or "), value, suggest.Phrase(value, known))
	}
	return nil
}

// namedDamaged is how many damaged pictures of training, and of tests, are told of by name.
const namedDamaged = 10

// noteDamaged tells of the damaged pictures that were met since it was called last.
func (t *Trainer) noteDamaged() {
	if !t.cfg.SkipDamaged {
		return
	}
	for i, l := range []*data.Loader{t.loader, t.tests} {
		met := l.Damaged()
		for _, e := range met[t.damaged[i]:] {
			t.damaged[i]++
			switch {
			case t.damaged[i] <= namedDamaged:
				t.observer.Note(fmt.Sprintf("damaged, and another one of its class is in its place: %s: %v", e.Path, e.Err))
			case t.damaged[i] == namedDamaged+1:
				t.observer.Note("more damaged pictures are not named, but counted; stheno data verify folder names all")
			}
		}
	}
}

// countDamaged says at the end how many there were.
func (t *Trainer) countDamaged() {
	t.noteDamaged()
	if n := t.damaged[0] + t.damaged[1]; n > 0 {
		t.observer.Note(fmt.Sprintf("damaged pictures with others in their places: %d of training, %d of tests", t.damaged[0], t.damaged[1]))
	}
}
