package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/stheno-ml/stheno/internal/thousands"
)

// Options says where Open looks. The zero value means: the user's cache folder, then the network.
type Options struct {
	// Dir is looked in first: a folder that holds the files, a folder with the authors' folder name below it
	// ("cifar-100-binary"), or the archive as downloaded, in such a folder or named itself. "" skips this step.
	// Nothing is ever written to it. Of the set FolderName it is the folder of the pictures.
	Dir string
	// Size is the side of the images that pictures in a folder become, the set FolderName; 0 means FolderSize. Other sets have their own.
	Size int
	// ValSplit, if above 0, is the share of the pictures of every class in train that become those of tests, in a folder of pictures that has
	// none: those whose names have the least digests, so that the same ones do wherever the folder lies. It is below 1.
	ValSplit float64
	// CacheDir is where downloads are kept, each set in a folder of its name. "" means "stheno/data" in the user's
	// cache folder (os.UserCacheDir).
	CacheDir string
	// Offline keeps Open away from the network.
	Offline bool
	// TestOnly leaves Split.Train nil and needs the files of the test set only.
	TestOnly bool
	// AllowModified accepts files whose content is not the published one, for people who work on variants of a set; a line
	// through Logf says so. Files in the cache are never accepted modified.
	AllowModified bool
	// Mirrors are addresses tried before the authors' sites; a file's name is appended to each. Digests are checked
	// all the same.
	Mirrors []string
	// Logf receives one line for each thing worth telling (a download begins, a file differs from the published one).
	// nil is silence.
	Logf func(format string, args ...any)
	// Progress watches downloads; nil when nobody does.
	Progress Progress
	// ConnectTimeout bounds finding and reaching a server, name lookup included, so that a machine without a network
	// learns it soon. 0 means 2 s.
	ConnectTimeout time.Duration
	// Client makes the requests; nil means one made for the purpose, which honours the proxy settings of the
	// environment.
	Client *http.Client

	noAuthors bool // tests: only Mirrors
}

func (o *Options) logf(format string, args ...any) {
	if o.Logf != nil {
		o.Logf(format, args...)
	}
}

// cacheDir returns the cache folder, which need not exist.
func (o *Options) cacheDir() (string, error) {
	if o.CacheDir != "" {
		return o.CacheDir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "stheno", "data"), nil
}

// Open finds the data set called name (see Names), in this order: Options.Dir, the cache folder, folders of system
// packages, and, unless Options.Offline, a download into the cache folder.
//
// Errors: *UnknownError for a name that is not known; *NotFoundError with every place tried when the set cannot be had;
// *FormatError for a file that is damaged, truncated, of the wrong size or mislabelled, or a set that is incomplete
// in Options.Dir; *DigestError for a file whose content is not the published one; *CacheError for a full disk; ctx's error.
func Open(ctx context.Context, name string, o Options) (*Split, error) {
	if err := Known(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	switch {
	case name == FolderName:
		return openFolder(ctx, &o)
	case o.Size != 0:
		return nil, fmt.Errorf("data: Options.Size is %d; the images of %s have a size of their own, only those of %q have any", o.Size, name, FolderName)
	case o.ValSplit != 0:
		return nil, fmt.Errorf("data: a share for validation (--val-split %v) is for the set %q; %s has test images of its own", o.ValSplit, FolderName, name)
	case name == SampleName:
		s, err := Sample()
		if err == nil && o.TestOnly {
			s.Train = nil
		}
		return s, err
	}
	return findSet(name).open(ctx, &o)
}

func (s *setSpec) open(ctx context.Context, o *Options) (*Split, error) {
	missing := &NotFoundError{Name: s.name}
	tried := func(place string, err error) {
		missing.Tried = append(missing.Tried, Attempt{Place: place, Err: err})
	}
	if o.Dir != "" {
		p, err := s.locate(o.Dir, o.TestOnly)
		if p != nil {
			return s.load(ctx, p, o, false)
		}
		if _, ok := errors.AsType[*FormatError](err); ok {
			return nil, err
		}
		tried(o.Dir, err)
	}
	cache, err := o.cacheDir()
	if err != nil {
		tried("the user's cache folder", err)
	} else {
		p, err := s.locate(filepath.Join(cache, s.name), o.TestOnly)
		if p != nil {
			return s.load(ctx, p, o, true)
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = errNotThere
		}
		tried(filepath.Join(cache, s.name), err)
	}
	for _, dir := range s.system {
		if p, _ := s.locate(dir, o.TestOnly); p != nil {
			return s.load(ctx, p, o, false)
		}
	}
	switch {
	case o.Offline:
		tried("the network", errOffline)
	case cache != "":
		err := s.install(ctx, cache, o)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			p, err := s.locate(filepath.Join(cache, s.name), o.TestOnly)
			if err != nil {
				return nil, err
			}
			return s.load(ctx, p, o, true)
		}
		if isDiskFull(err) {
			return nil, fmt.Errorf("data: fetching %s: %w", s.name, err)
		}
		tried("download", err)
	}
	missing.Remedy = s.remedy()
	return nil, missing
}

var (
	errNotThere = errors.New("not there yet")
	errOffline  = errors.New("not asked (offline)")
)

func (s *setSpec) remedy() string {
	if s.archive != "" {
		return fmt.Sprintf("Fetch %s%s on a connected machine and name its folder with --data-dir.", s.bases[0], s.archive)
	}
	return fmt.Sprintf("Fetch the four idx files from %s on a connected machine and name their folder with --data-dir.", s.bases[0])
}

// OpenOrSample is Open for programs that should run in any case: when the set is nowhere to be had (*NotFoundError), it
// returns the built-in sample and a notice of one line, which the caller must show. Every other error (a damaged
// file, a full disk, an unknown name) is returned: those need the user. The notice is "" when the set was found.
func OpenOrSample(ctx context.Context, name string, o Options) (split *Split, notice string, err error) {
	split, err = Open(ctx, name, o)
	missing, ok := errors.AsType[*NotFoundError](err)
	if !ok {
		return split, "", err
	}
	split, err = Open(ctx, SampleName, o)
	if err != nil {
		return nil, "", err
	}
	why := "not found"
	if n := len(missing.Tried); n > 0 {
		last := missing.Tried[n-1]
		why = fmt.Sprintf("%s: %v", last.Place, last.Err)
	}
	notice = fmt.Sprintf("%s is not here (%s); using the built-in sample instead: %s real %d×%d images of %s, %d classes",
		name, why, thousands.Format(int64(split.Test.Len()+trainLen(split))), split.Test.Shape[0], split.Test.Shape[1], "Fashion-MNIST",
		len(split.Test.Classes))
	return split, notice, nil
}

func trainLen(s *Split) int {
	if s.Train == nil {
		return 0
	}
	return s.Train.Len()
}
