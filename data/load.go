package data

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/stheno-ml/stheno/internal/thousands"
)

// FileStatus is the digest of one file that was read.
type FileStatus struct {
	Path      string
	Bytes     int64  // unpacked
	MD5       string // of the unpacked content, hexadecimal
	Published string // the MD5 of the authors' file, "" when none is known
}

// OK reports whether the content is the published one; it is false also when no digest is published.
func (f FileStatus) OK() bool { return f.Published != "" && f.MD5 == f.Published }

// String tells in a few words how the content compares with the authors': "as published", "differs from the published
// file", or "no published digest".
func (f FileStatus) String() string {
	switch {
	case f.OK():
		return "as published"
	case f.Published == "":
		return "no published digest"
	default:
		return "differs from the published file"
	}
}

// load reads the files of s from p. A wrong digest that is known for certain is an error, unless the caller works on a
// variant of the set (Options.AllowModified). owned says that p is our cache, whose files were right once: there, and for
// the files of another set under this one's names, it always is.
func (s *setSpec) load(ctx context.Context, p *place, o *Options, owned bool) (*Split, error) {
	b := s.builder(o.TestOnly)
	var err error
	if p.archive != "" {
		err = b.readArchive(ctx, p.archive)
	} else {
		err = b.readFolder(ctx, p.paths)
	}
	if err != nil {
		return nil, err
	}
	split := &Split{Name: s.name, Title: s.title, Cite: s.cite, Source: p.label, Train: b.train.set, Test: b.test.set}
	for _, f := range s.needed(o.TestOnly) {
		st := *b.status[f.name]
		split.Files = append(split.Files, st)
		if st.OK() || st.Published == "" {
			continue
		}
		e := digestError(st)
		if e.Is != "" {
			e.Remedy = "this is not " + s.title + ": ask for the set by its own name, or name another folder"
			return nil, e
		}
		if owned && f.firm {
			e.Remedy = "this copy in the cache is damaged: delete the file to have it downloaded again"
			return nil, e
		}
		if f.firm && !o.AllowModified {
			e.Remedy = "the file is damaged or was changed: fetch it anew, or use it as it is with --allow-modified"
			return nil, e
		}
		o.logf("%v; using the file as it is", e)
	}
	for _, d := range []*Dataset{split.Train, split.Test} {
		if d != nil {
			if err := d.Validate(); err != nil {
				return nil, err
			}
		}
	}
	return split, nil
}

func digestError(st FileStatus) *DigestError {
	return &DigestError{File: st.Path, Want: st.Published, Got: st.MD5, Is: contentKnownAs(st.MD5)}
}

// Verify returns a *DigestError for the first file whose content differs from the published one, nil when all agree
// or no digest is published for them.
func (s *Split) Verify() error {
	for _, f := range s.Files {
		if f.Published != "" && !f.OK() {
			return digestError(f)
		}
	}
	return nil
}

// builder collects the files of one data set, in whatever order they come.
type builder struct {
	spec        *setSpec
	wanted      map[string]*fileSpec
	status      map[string]*FileStatus
	train, test half
}

// half is the training or the test set in the making.
type half struct {
	set *Dataset
	at  map[string]int // first image of each file
}

func (s *setSpec) builder(testOnly bool) *builder {
	b := &builder{spec: s, wanted: map[string]*fileSpec{}, status: map[string]*FileStatus{}}
	b.train.at, b.test.at = map[string]int{}, map[string]int{}
	for _, f := range s.needed(testOnly) {
		b.wanted[f.name] = f
		h, name := &b.train, "/train"
		if f.test {
			h, name = &b.test, "/test"
		}
		if h.set == nil {
			h.set = &Dataset{Name: s.name + name, Shape: s.shape, Classes: s.classes()}
		}
		h.at[f.name] = h.set.Len()
		if f.role != images {
			h.set.Labels = append(h.set.Labels, make([]int32, f.count)...)
		}
	}
	if !s.isCIFAR() {
		return b
	}
	for _, h := range []*half{&b.train, &b.test} {
		if h.set == nil {
			continue
		}
		h.set.Images = make([]byte, h.set.Len()*h.set.PixelCount())
		if s.layout == CIFAR100 {
			h.set.CoarseClasses, h.set.CoarseLabels = cifar100Coarse(), make([]int32, h.set.Len())
		}
	}
	return b
}

// read takes in one file. size is its length when that is known and it is not compressed, else -1.
func (b *builder) read(f *fileSpec, at string, size int64, r io.Reader) error {
	want := b.spec.fileBytes(f)
	if size >= 0 && size != want {
		what := "truncated"
		switch {
		case size == 0:
			what = "the file is empty"
		case size > want:
			what = "the file is too long"
		}
		e := formatError(at, what, min(size, want), -1)
		e.Want, e.Got = thousands.Format(want)+" bytes", thousands.Format(size)
		if f.role == records {
			e.Want = sizeOf(f.count, b.spec.layout.RecordSize())
		}
		return e
	}
	r, err := gunzip(r)
	if err != nil {
		return readFault(at, 0, err)
	}
	sum := md5.New()
	n := &counter{}
	r = io.TeeReader(r, io.MultiWriter(sum, n))
	h := &b.train
	if f.test {
		h = &b.test
	}
	switch f.role {
	case records:
		err = b.readRecords(f, h, at, r)
	case images:
		err = b.readImages(f, h, at, r)
	default:
		err = b.readLabels(f, h, at, r)
	}
	if err != nil {
		return err
	}
	b.status[f.name] = &FileStatus{Path: at, Bytes: n.n, MD5: hex.EncodeToString(sum.Sum(nil)), Published: f.md5}
	return nil
}

func (b *builder) readRecords(f *fileSpec, h *half, at string, r io.Reader) error {
	// The records are appended to slices that lie, with exactly the room needed, inside the whole set's.
	lo := h.at[f.name]
	hi := lo + f.count
	n := h.set.PixelCount()
	part := *h.set
	part.Images = h.set.Images[lo*n : lo*n : hi*n]
	part.Labels = h.set.Labels[lo:lo:hi]
	if h.set.CoarseLabels != nil {
		part.CoarseLabels = h.set.CoarseLabels[lo:lo:hi]
	}
	return part.readCIFAR(r, at, b.spec.layout, f.count)
}

func (b *builder) readImages(f *fileSpec, h *half, at string, r io.Reader) error {
	pixels, n, height, width, err := ReadIDXImages(r, at)
	if err != nil {
		return err
	}
	if s := b.spec.shape; n != f.count || height != s[0] || width != s[1] {
		e := formatError(at, "wrong lengths in the header", 4, -1)
		e.Want, e.Got = fmt.Sprintf("%d×%d×%d", f.count, s[0], s[1]), fmt.Sprintf("%d×%d×%d", n, height, width)
		return e
	}
	h.set.Images = pixels
	return nil
}

func (b *builder) readLabels(f *fileSpec, h *half, at string, r io.Reader) error {
	ls, err := ReadIDXLabels(r, at, len(h.set.Classes))
	if err != nil {
		return err
	}
	if len(ls) != f.count {
		e := formatError(at, "wrong length in the header", 4, -1)
		e.Want, e.Got = fmt.Sprintf("%d labels", f.count), fmt.Sprint(len(ls))
		return e
	}
	h.set.Labels = ls
	return nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

func (b *builder) readFolder(ctx context.Context, paths map[string]string) error {
	for i := range b.spec.files { // in the set's order, so that the first fault is always the same one
		f := &b.spec.files[i]
		if b.wanted[f.name] == nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.readFile(f, paths[f.name]); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) readFile(f *fileSpec, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("data: cannot open %s: %w", path, pathCause(err))
	}
	defer file.Close()
	size := int64(-1)
	if info, err := file.Stat(); err == nil && (f.role == records || info.Size() == 0) {
		size = info.Size()
	}
	return b.read(f, path, size, file)
}

// readArchive reads the wanted files straight out of the .tar.gz, which stays as it is.
func (b *builder) readArchive(ctx context.Context, archive string) error {
	err := walkArchive(ctx, archive, b.spec, func(f *fileSpec, at string, size int64, r io.Reader) error {
		if b.wanted[f.name] == nil {
			return nil
		}
		if b.status[f.name] != nil {
			return formatError(at, "the archive holds this file twice", -1, -1)
		}
		return b.read(f, at, size, r)
	})
	if err != nil {
		return err
	}
	for name := range b.wanted {
		if b.status[name] == nil {
			e := formatError(archive, "the archive does not hold "+name, -1, -1)
			e.Remedy = "is this the binary version, " + b.spec.archive + "?"
			return e
		}
	}
	return nil
}
