package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/data"
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
	for _, half := range []string{"train", "val"} {
		if info, err := os.Stat(filepath.Join(dir, half)); err != nil || !info.IsDir() {
			return nil
		}
	}
	return fmt.Errorf("--data-dir: %s holds pictures in train and val, and not %s; give --data %s to use them", dir, name, data.FolderName)
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

// aboutDamaged says what there is against a picture that ended a command.
func aboutDamaged(err error, dir string) error {
	if isDamaged(err) {
		return fmt.Errorf("%w\n    \"%s data verify %s --data-dir %s\" names all that are damaged; with --skip-damaged others of their classes take their places",
			err, programName, data.FolderName, quoted(dir))
	}
	return err
}

// byText writes the shape of an image as 32×32×3.
func byText(shape [3]int) string { return fmt.Sprintf("%d×%d×%d", shape[0], shape[1], shape[2]) }
