package torch

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/internal/pickle"
	"github.com/stheno-ml/stheno/weights/internal/zipfile"
)

func (d *decoder) config() pickle.Config {
	return pickle.Config{Global: global, Persistent: d.persistent}
}

// zip reads the archive of PyTorch 1.6 and later: NAME/data.pkl, NAME/byteorder, and the storages NAME/data/KEY.
func (d *decoder) zip() (any, error) {
	a, err := zipfile.Open(d.r, d.size)
	if err != nil {
		return nil, err
	}
	var main *zip.File
	folder := ""
	for _, f := range a.Files {
		if prefix, ok := strings.CutSuffix(f.Name, "data.pkl"); ok && strings.Count(f.Name, "/") == 1 {
			if main != nil {
				return nil, fail("", "holds two pickles, %q and %q", main.Name, f.Name)
			}
			main, folder = f, prefix
		}
	}
	if main == nil {
		return nil, fail("", "is a zip archive without a data.pkl: not one of torch.save")
	}
	if a.Lookup(folder+"constants.pkl") != nil {
		return nil, fail("in Python: torch.save(torch.jit.load(…).state_dict(), …)", "is a TorchScript archive, which holds a program beside the weights")
	}
	if f := a.Lookup(folder + "byteorder"); f != nil {
		order, err := readSmall(a, f)
		if err != nil {
			return nil, err
		}
		if order != "little" {
			return nil, fail("load it in PyTorch on any machine and save it again", "has the byte order %q; only \"little\" is read", order)
		}
	}
	in, err := a.Read(main)
	if err != nil {
		return nil, err
	}
	defer in.Close() // read only
	p := pickle.NewReader(in, int64(main.UncompressedSize64), d.config())
	root, err := p.Decode()
	if err != nil {
		if errors.Is(err, zip.ErrChecksum) {
			return nil, zipfile.Check(main, zip.ErrChecksum)
		}
		return nil, err
	}
	if left := int64(main.UncompressedSize64) - p.Offset(); left != 0 {
		return nil, fail("", "%s: %d bytes follow the pickle's end", main.Name, left)
	}
	d.load = func(s *storage, dtype string) (weights.Tensor, error) {
		f := a.Lookup(folder + "data/" + s.key)
		switch {
		case f == nil:
			return weights.Tensor{}, fail("", "there is no entry %q, which its tensors refer to", folder+"data/"+s.key)
		case int64(f.UncompressedSize64) != s.bytes():
			return weights.Tensor{}, fail("", "entry %q has %d bytes, its storage wants %d", f.Name, f.UncompressedSize64, s.bytes())
		}
		in, err := a.Read(f)
		if err != nil {
			return weights.Tensor{}, err
		}
		defer in.Close() // read only
		t, err := s.read(in, dtype)
		if err == nil {
			if _, err = in.Read(make([]byte, 1)); errors.Is(err, io.EOF) { // where the checksum is looked at
				return t, nil
			}
		}
		return t, zipfile.Check(f, err)
	}
	return root, nil
}

// readSmall reads an entry of a few bytes.
func readSmall(a *zipfile.Archive, f *zip.File) (string, error) {
	in, err := a.Read(f)
	if err != nil {
		return "", err
	}
	defer in.Close() // read only
	text, err := io.ReadAll(io.LimitReader(in, 64))
	if err != nil {
		return "", zipfile.Check(f, err)
	}
	return string(text), nil
}

// read reads the elements of a storage.
func (s *storage) read(r io.Reader, dtype string) (weights.Tensor, error) {
	size, _ := weights.DTypeSize(dtype)
	if s.bytes()%int64(size) != 0 {
		return weights.Tensor{}, fmt.Errorf("storage %q of %d bytes holds no whole number of %s", s.key, s.bytes(), dtype)
	}
	return weights.ReadTensor(r, "storage "+s.key, dtype, []int{int(s.bytes() / int64(size))})
}

// magic is the first pickle of the legacy form.
var magic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

// legacyProtocol is the second.
const legacyProtocol = 1001

// legacy reads the row of pickles of PyTorch before 1.6: a magic number, a version, facts about the machine, the object, the
// keys of its storages; then the storages. A single pickle, as pickle.dump makes it, is read too.
func (d *decoder) legacy() (any, error) {
	p := pickle.NewReader(io.NewSectionReader(d.r, 0, d.size), d.size, d.config())
	d.load = func(s *storage, dtype string) (weights.Tensor, error) {
		if s.at < 0 {
			return weights.Tensor{}, fail("", "storage %q is not in the file", s.key)
		}
		return s.read(bufio.NewReaderSize(io.NewSectionReader(d.r, s.at, s.bytes()), 1<<16), dtype)
	}
	first, err := p.Decode()
	if err != nil {
		return nil, err
	}
	if n, ok := first.(*big.Int); !ok || n.Cmp(magic) != 0 {
		return first, nil
	}
	version, err := p.Decode()
	if err != nil {
		return nil, err
	}
	if version != any(int64(legacyProtocol)) {
		return nil, fail("", "has protocol version %s, not %d", pickle.Describe(version), legacyProtocol)
	}
	machine, err := p.Decode()
	if err != nil {
		return nil, err
	}
	if m, ok := machine.(*pickle.Dict); ok {
		if little, ok := m.Get("little_endian"); ok && little != any(true) {
			return nil, fail("load it in PyTorch on any machine and save it again", "was written on a big-endian machine")
		}
	}
	root, err := p.Decode()
	if err != nil {
		return nil, err
	}
	keys, err := p.Decode()
	if err != nil {
		return nil, err
	}
	list, ok := keys.(*pickle.List)
	if !ok {
		return nil, fail("", "has %s where the list of its storages should be", pickle.Describe(keys))
	}
	return root, d.place(list.Items, p.Offset())
}

// place finds the storages in the file: each is its number of elements in 8 bytes, then the elements.
func (d *decoder) place(keys []any, at int64) error {
	for _, k := range keys {
		key, ok := k.(string)
		s := d.storages[key]
		if !ok || s == nil || s.at >= 0 {
			return fail("", "lists the storage %s, which nothing refers to or which is listed twice", pickle.Describe(k))
		}
		var head [8]byte
		if n, err := d.r.ReadAt(head[:], at); n < len(head) {
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			return fail("it is cut short", "byte %d: expected the size of storage %q, found the end of the file", at, key)
		}
		n := binary.LittleEndian.Uint64(head[:])
		if n != uint64(s.elements) {
			return fail("", "byte %d: expected a storage of %d elements, found one of %d", at, s.elements, n)
		}
		at += int64(len(head))
		if s.bytes() > d.size-at {
			return fail("it is cut short", "byte %d: expected %d bytes of storage %q, found the %d that are left of the file", at, s.bytes(), key, max(d.size-at, 0))
		}
		s.at = at
		at += s.bytes()
	}
	return nil
}
