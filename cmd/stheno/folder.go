package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// What commands say of the data set folder.

const (
	skipDamaged = "--data folder: put the next picture of the class in the place of one that cannot be decoded"
	exifHelp    = "--data folder: apply turns pictures as their EXIF orientation says, as viewers do; ignore takes them as they lie in the file, as torchvision and Keras do"
	// valSplitHelp is that of commands on a folder.
	valSplitHelp = "folder: share of the pictures of every class that is validated with, where there is no folder val, such as 0.2"
)

// pictureFlags are those for pictures in a folder.
func pictureFlags(f *pflag.FlagSet, c *train.Config) {
	f.Float64Var(&c.ValSplit, "val-split", c.ValSplit, "--data "+valSplitHelp)
	f.StringVar(&c.EXIF, "exif", cmp.Or(c.EXIF, train.EXIFIgnore), exifHelp)
	f.BoolVar(&c.SkipDamaged, "skip-damaged", c.SkipDamaged, skipDamaged+"; a run may be resumed with it")
}

// overrideEXIF puts what the flag of a command that uses a trained network on a data set says into its configuration.
func overrideEXIF(f *pflag.FlagSet, c *train.Config, value, name string) error {
	switch {
	case !f.Changed("exif"):
		return nil
	case value == "": // such as of a variable that is not set
		return fmt.Errorf("--exif= is empty; give %s or %s", train.EXIFApply, train.EXIFIgnore)
	}
	if err := train.CheckEXIF(value); err != nil {
		return err
	}
	if value == train.EXIFApply && name != data.FolderName {
		return fmt.Errorf("--exif %s is for networks and images of --data %s, and this is about %s; leave it out", value, data.FolderName, name)
	}
	c.EXIF = value
	return nil
}

// ofPictures makes what Open tells of a folder of pictures notes.
func ofPictures(o *data.Options, name string, out *screen) {
	if name == data.FolderName {
		o.Logf = func(format string, args ...any) { out.Note(fmt.Sprintf(format, args...)) }
	}
}

// namesPictures refuses to look for another data set in a folder of pictures: it would be found in the cache or the network.
func namesPictures(name, dir string) error {
	if name == data.FolderName || dir == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(dir, "train"))
	if err != nil || !slices.ContainsFunc(entries, fs.DirEntry.IsDir) { // other sets have no folders of classes
		return nil
	}
	return fmt.Errorf("--data-dir: %s holds pictures in train, and not %s; give --data %s to use them", dir, name, data.FolderName)
}

// otherSize says which images a network takes in its error about those of a data set: of pictures, with the flag of their size.
func otherSize(err error, c train.Config, split *data.Split) error {
	if wrong := (*nn.Error)(nil); !errors.As(err, &wrong) {
		return err
	}
	small := c
	small.Input, small.Classes = split.Train.Shape, split.Train.Classes
	if _, wrong := train.NewModel(small); wrong == nil { // it is about something else
		return err
	}
	large := c
	large.Input, large.Classes = [3]int{data.FolderSize, data.FolderSize, 3}, split.Train.Classes
	if _, wrong := train.NewModel(large); wrong != nil {
		return err
	}
	if c.Data == data.FolderName {
		return fmt.Errorf("%w\n    %s does not take images of --size %d; it takes, for one, --size %d", err, c.Arch, c.Size, data.FolderSize)
	}
	s := split.Train.Shape
	return fmt.Errorf("%w\n    %s does not take the images of %s, %d×%d×%d; train another network, or pictures of your own with --data folder, which are %d×%d unless --size says otherwise",
		err, c.Arch, c.Data, s[0], s[1], s[2], data.FolderSize, data.FolderSize)
}

// isDamaged says whether a picture that cannot be decoded ended a command.
func isDamaged(err error) bool {
	e, ok := errors.AsType[*data.ImageError](err)
	return ok && e.Damaged
}

// pastDamaged is the flag that a run needs to be resumed after err.
func pastDamaged(err error) string {
	if isDamaged(err) {
		return " --skip-damaged"
	}
	return ""
}

// aboutDamaged says what there is against a picture in dir, of which valSplit is validated with, that ended a command.
func aboutDamaged(err error, dir string, valSplit float64) error {
	if !isDamaged(err) {
		return err
	}
	verify := fmt.Sprintf("%s data verify %s --data-dir %s", programName, data.FolderName, quoted(dir))
	if valSplit > 0 {
		verify += fmt.Sprintf(" --val-split %v", valSplit)
	}
	return fmt.Errorf("%w\n    \"%s\" names all that are damaged; with --skip-damaged others of their classes take their places", err, verify)
}

// byText writes the shape of an image as 32×32×3.
func byText(shape [3]int) string { return fmt.Sprintf("%d×%d×%d", shape[0], shape[1], shape[2]) }
