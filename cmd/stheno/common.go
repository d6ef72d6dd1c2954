package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/train"
)

// device is where a command computes.
type device struct {
	name    string
	threads int
}

func (d *device) flags(f *pflag.FlagSet) {
	f.StringVar(&d.name, "device", "auto", strings.Join(deviceNames(), ", "))
	f.IntVar(&d.threads, "threads", 0, "CPU threads (0: one per core)")
}

// deviceNames are the values of --device.
func deviceNames() []string {
	return append([]string{"auto"}, slices.DeleteFunc(graph.Kinds(), func(kind string) bool { return kind == "null" })...) // null only plans
}

// open starts the engine of a device; "auto" is the fastest there is.
func (d device) open() (graph.Engine, error) {
	if d.threads < 0 || d.threads > train.MaxThreads {
		return nil, fmt.Errorf("--threads wants at least 0 and at most %d, got %d", train.MaxThreads, d.threads)
	}
	kind, _, _ := strings.Cut(d.name, ":")
	if !slices.Contains(deviceNames(), kind) {
		return nil, fmt.Errorf("unknown device %q%s; this program has %s", d.name, suggest.Phrase(kind, deviceNames()), strings.Join(deviceNames(), ", "))
	}
	if kind == "auto" {
		d.name = "cpu"
	}
	return graph.Open(d.name, graph.Config{Threads: d.threads})
}

// describeEngine is what an engine says of itself, such as "cpu with 2 threads, avx512 kernels".
func describeEngine(e graph.Engine) string {
	if s, ok := e.(fmt.Stringer); ok {
		return s.String()
	}
	return e.Name()
}

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
	f.StringVar(&s.dir, "data-dir", "", "folder or archive to look in before the cache folder")
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
