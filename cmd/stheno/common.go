package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/data"
)

// source is where a command finds a data set.
type source struct {
	dir               string
	offline, modified bool
}

func (s *source) flags(f *pflag.FlagSet) {
	s.folderFlags(f)
	s.offlineFlag(f)
}

func (s *source) folderFlags(f *pflag.FlagSet) {
	f.StringVar(&s.dir, "data-dir", "", "folder or archive to look in before the cache folder; of the set folder, that of the pictures: DIR/train/CLASS/*.jpg, DIR/val/CLASS/*.jpg")
	s.modifiedFlag(f)
}

func (s *source) offlineFlag(f *pflag.FlagSet) {
	f.BoolVar(&s.offline, "offline", false, "do not use the network")
}

func (s *source) modifiedFlag(f *pflag.FlagSet) {
	f.BoolVar(&s.modified, "allow-modified", false, "use data files in --data-dir even if their content is not the published one")
}

// options are those of package data; out shows downloads. A folder that does not exist is refused: with the cache and
// the network behind it, a slip of the keyboard would go unnoticed.
func (s source) options(flags *pflag.FlagSet, out *screen) (data.Options, error) {
	if s.dir == "" && flags.Changed("data-dir") { // such as of a variable that is not set
		return data.Options{}, errors.New("--data-dir is empty; name a folder, or leave the flag out to use the cache folder")
	}
	if s.dir != "" {
		if _, err := os.Stat(s.dir); err != nil {
			return data.Options{}, fmt.Errorf("--data-dir: %w; name the folder or the archive of the data set", err)
		}
	}
	return data.Options{Dir: s.dir, Offline: s.offline, AllowModified: s.modified, Logf: out.Printf, Progress: out.Downloads()}, nil
}

// imagesOf is the number of images used under a limit.
func imagesOf(ds *data.Dataset, limit int) int {
	if limit > 0 {
		return min(limit, ds.Len())
	}
	return ds.Len()
}
