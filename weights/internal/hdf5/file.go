package hdf5

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/stheno-ml/stheno/weights"
)

// File is an open HDF5 file. It is for one goroutine.
type File struct {
	r    io.ReaderAt
	done io.Closer
	path string
	size int64 // of the file in bytes

	base       int64 // what addresses count from
	offsetSize int   // bytes of an address
	lengthSize int   // bytes of a length
	root       int64 // place of the root group's object header

	unchecked bool // for tests: checksums are not compared, so that damage reaches what is behind them

	metadata int64 // bytes of metadata read so far
	stored   int64 // bytes of data read so far, as they lie in the file
	unpacked int64 // bytes of data made of packed or absent ones

	objects map[int64]*Object
	heaps   map[int64]map[uint16][]byte // global heap collections
}

// Open opens a file for reading.
func Open(path string) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	f, err := openFile(in, path)
	if err != nil {
		in.Close()
		return nil, err
	}
	return f, nil
}

func openFile(in *os.File, path string) (*File, error) {
	info, err := in.Stat()
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("weights: %s is not a regular file", path)
	}
	f, err := NewFile(in, info.Size(), path)
	if err != nil {
		return nil, err
	}
	f.done = in
	return f, nil
}

// NewFile reads a file of size bytes from r; path is its name in messages.
func NewFile(r io.ReaderAt, size int64, path string) (*File, error) {
	return newFile(r, size, path, false)
}

func newFile(r io.ReaderAt, size int64, path string, unchecked bool) (*File, error) {
	f := &File{r: r, path: path, size: size, unchecked: unchecked,
		objects: map[int64]*Object{}, heaps: map[int64]map[uint16][]byte{}}
	if err := f.superblock(); err != nil {
		return nil, err
	}
	return f, nil
}

// Close closes the file that Open opened.
func (f *File) Close() error {
	if f.done == nil {
		return nil
	}
	return f.done.Close()
}

// Root is the root group.
func (f *File) Root() (*Object, error) { return f.object(f.root, "/") }

// fail makes the error for a place in the file.
func (f *File) fail(at int64, expected, found string, args ...any) error {
	return &weights.FormatError{Path: f.path, Offset: at, Expected: expected, Found: fmt.Sprintf(found, args...)}
}

// within checks that n bytes at a place are part of the file.
func (f *File) within(at, n int64, what string) error {
	if at < 0 || at > f.size || n < 0 || n > f.size-at {
		return f.fail(max(at, 0), fmt.Sprintf("%d bytes of %s", n, what), "%d (the file has %d bytes)", max(0, f.size-max(at, 0)), f.size)
	}
	return nil
}

// load reads n bytes of metadata. Sound files have each piece read once or twice; one whose pieces overlap so that much
// more is read than it holds is refused, which bounds work and memory.
func (f *File) load(at, n int64, what string) (*cursor, error) {
	if err := f.within(at, n, what); err != nil {
		return nil, err
	}
	if err := f.spend(n, at, what); err != nil {
		return nil, err
	}
	buf := make([]byte, n)
	if err := f.readAt(buf, at); err != nil {
		return nil, err
	}
	return &cursor{f: f, at: at, buf: buf, what: what}, nil
}

// spend counts bytes of metadata that were read, or copied out of what was: names may overlap as blocks may.
func (f *File) spend(n, at int64, what string) error {
	if f.metadata += n; f.metadata > 8*f.size+1<<20 {
		return f.fail(at, "structures that lie side by side", "%s after %d bytes of metadata in a file of %d: they overlap or contain themselves",
			what, f.metadata, f.size)
	}
	return nil
}

// readAt fills buf, which lies within the file.
func (f *File) readAt(buf []byte, at int64) error {
	n, err := f.r.ReadAt(buf, at)
	if n == len(buf) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return f.fail(at+int64(n), fmt.Sprintf("%d more bytes", len(buf)-n), "the end of the file: it became shorter")
	}
	return fmt.Errorf("weights: %s: %w", f.path, err)
}

const signature = "\x89HDF\r\n\x1a\n"

// superblock finds and reads the superblock, which stands at 0 or, behind a block of the user's, at 512, 1024, 2048, ….
func (f *File) superblock() error {
	const fixed = 8 + 8 // the signature, and what tells the versions apart and how long numbers are
	at := int64(0)
	for {
		if f.size-at < fixed {
			return f.fail(0, "an HDF5 file, which begins with "+fmt.Sprintf("%q", signature), "%s", f.beginning())
		}
		head := make([]byte, len(signature))
		if err := f.readAt(head, at); err != nil {
			return err
		}
		if string(head) == signature {
			break
		}
		at = max(512, 2*at)
	}
	c, err := f.load(at, min(f.size-at, 128), "the superblock")
	if err != nil {
		return err
	}
	c.signature(signature)
	f.base = at
	if v := c.version(0, 1, 2, 3); v < 2 {
		f.oldSuperblock(c, v)
	} else {
		f.newSuperblock(c)
	}
	return c.err
}

// beginning describes the first bytes of what is no HDF5 file.
func (f *File) beginning() string {
	head := make([]byte, min(8, f.size))
	if n, err := f.r.ReadAt(head, 0); err != nil && n < len(head) {
		return "nothing readable"
	}
	if len(head) == 0 {
		return "an empty file"
	}
	return fmt.Sprintf("%q", head)
}

// sizes reads the numbers of bytes of addresses and lengths.
func (f *File) sizes(c *cursor) {
	for _, p := range []*int{&f.offsetSize, &f.lengthSize} {
		at := c.place()
		switch n := c.u8(); n {
		case 2, 4, 8:
			*p = int(n)
		default:
			c.fail(at, "2, 4 or 8 as the size of addresses and lengths", "%d", n)
			*p = 8
		}
	}
}

// oldSuperblock reads versions 0 and 1 from behind the version.
func (f *File) oldSuperblock(c *cursor, version uint8) {
	c.take(4) // versions of parts
	f.sizes(c)
	c.take(1 + 2 + 2 + 4) // reserved, ranks of B-trees, flags
	if version == 1 {
		c.take(4) // rank of B-trees of chunks
	}
	f.addresses(c)
	c.address() // driver information
	c.take(f.offsetSize)
	if f.root = c.address(); f.root == nowhere {
		c.fail(c.place(), "the address of the root group", "none")
	}
}

// newSuperblock reads versions 2 and 3 from behind the version.
func (f *File) newSuperblock(c *cursor) {
	f.sizes(c)
	c.take(1) // flags
	f.addresses(c)
	if f.root = c.address(); f.root == nowhere {
		c.fail(c.place(), "the address of the root group", "none")
	}
	c.checksum()
}

// addresses reads base address, an address that is not needed, and the end of the file.
func (f *File) addresses(c *cursor) {
	at := c.place()
	// A block put in front of a finished file leaves the old base, 0; the library then counts from the superblock as well.
	if base := c.number(f.offsetSize); base > f.base {
		c.fail(at, fmt.Sprintf("the base address %d, where the superblock is", f.base), "%d", base)
	}
	c.take(f.offsetSize)
	at = c.place()
	if end := c.number(f.offsetSize); c.err == nil && end > f.size {
		c.fail(at, fmt.Sprintf("the end of the file at %d, its size", f.size), "%d: the file is truncated", end)
	}
}
