package data

import (
	"bytes"
	"crypto/md5"
	"math"
	"slices"
)

// apart opens a folder without test pictures: a share of those of training become them.
func (f *folderReader) apart(dir string, o *Options, s *Split) (*Split, error) {
	all, err := f.readTraining(dir)
	if err != nil {
		return nil, err
	}
	s.Train, s.Test = all.apart(o.ValSplit)
	s.Train.Name, s.Test.Name = FolderName+"/train", FolderName+"/test"
	if s.Test.Len() == 0 {
		e := folderError(dir, "has no class of two pictures, of which one could be for validation")
		e.Remedy = "put more pictures there"
		return nil, e
	}
	s.Files = []FileStatus{listed(s.Train), listed(s.Test)}
	f.noteMissing(s.Test)
	if o.TestOnly {
		s.Train, s.Files = nil, s.Files[1:]
	}
	return s, nil
}

// apart divides pictures in files in two, in the order that they have: of every class of two and more a share, of one at least, goes to
// the second, the pictures whose names have the least digests. A class with a new picture has one of its others moved at most.
func (d *Dataset) apart(share float64) (first, second *Dataset) {
	type named struct {
		digest [md5.Size]byte
		at     int
	}
	classes := make([][]named, len(d.Classes))
	for i, name := range d.Files.Names {
		classes[d.Labels[i]] = append(classes[d.Labels[i]], named{md5.Sum([]byte(name)), i})
	}
	moved := make([]bool, d.Len())
	for _, c := range classes {
		if len(c) < 2 {
			continue
		}
		slices.SortFunc(c, func(a, b named) int { return bytes.Compare(a.digest[:], b.digest[:]) })
		n := int(math.Round(share * float64(len(c))))
		for _, m := range c[:max(1, min(n, len(c)-1))] {
			moved[m.at] = true
		}
	}
	take := func(which bool) *Dataset {
		h := *d
		h.Files, h.Labels = &Files{Dir: d.Files.Dir}, nil
		for i, m := range moved {
			if m == which {
				h.Files.Names, h.Labels = append(h.Files.Names, d.Files.Names[i]), append(h.Labels, d.Labels[i])
			}
		}
		return &h
	}
	return take(false), take(true)
}
