package hdf5

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/weights"
)

// readAll reads everything in a file, each object once, and returns the number of objects and all mistakes.
func readAll(data []byte, unchecked bool) (objects int, errs []error) {
	note := func(err error) bool {
		if err != nil {
			errs = append(errs, err)
		}
		return err == nil
	}
	f, err := newFile(bytes.NewReader(data), int64(len(data)), "file", unchecked)
	if !note(err) {
		return 0, errs
	}
	met := map[int64]bool{}
	var visit func(o *Object)
	visit = func(o *Object) {
		if met[o.Place()] {
			return
		}
		met[o.Place()] = true
		objects++
		attributes, err := o.Attributes()
		note(err)
		for _, a := range attributes {
			_, err := a.Value()
			note(err)
		}
		if o.IsDataset() {
			if d, err := o.Dataset(); note(err) {
				_, err := d.Read()
				note(err)
			}
		}
		if !o.IsGroup() {
			return
		}
		links, err := o.Links()
		note(err)
		for _, l := range links {
			if m, err := o.Follow(l); note(err) {
				visit(m)
			}
		}
	}
	if root, err := f.Root(); note(err) {
		visit(root)
	}
	return objects, errs
}

func wantFormatErrors(t *testing.T, what string, size int, errs []error) {
	t.Helper()
	for _, err := range errs {
		var format *weights.FormatError
		require.ErrorAs(t, err, &format, what)
		require.GreaterOrEqual(t, format.Offset, int64(0), "%s: %v", what, err)
		require.LessOrEqual(t, format.Offset, int64(size), "%s: %v", what, err)
		require.NotEmpty(t, format.Expected, what)
		require.NotEmpty(t, format.Found, what)
	}
}

func samples(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", "*.h5"))
	require.NoError(t, err)
	require.Len(t, names, 16)
	out := map[string][]byte{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		out[filepath.Base(name)] = data
	}
	return out
}

func TestTruncatedFiles(t *testing.T) {
	for name, data := range samples(t) {
		whole, _ := readAll(data, false)
		require.Positive(t, whole, name)
		for percent := range 100 {
			n := len(data) * percent / 100
			_, errs := readAll(data[:n], false)
			require.Len(t, errs, 1, "%s: the superblock tells the size", name)
			wantFormatErrors(t, fmt.Sprintf("%s cut to %d bytes", name, n), n, errs)
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 300
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for name, data := range samples(t) {
		bad := bytes.Clone(data)
		for round := range rounds {
			at := rng.IntN(len(data))
			before := bad[at]
			switch round % 3 {
			case 0:
				bad[at] ^= 1 << rng.IntN(8)
			case 1:
				bad[at] = 0xff
			case 2:
				bad[at] = byte(rng.Uint32())
			}
			_, errs := readAll(bad, round%2 == 0)
			wantFormatErrors(t, fmt.Sprintf("%s with byte %d = %#x", name, at, bad[at]), len(data), errs)
			bad[at] = before
		}
	}
}

// TestMemory reads files whose every eighth of a number is set to huge values; nothing large may be allocated for them.
func TestMemory(t *testing.T) {
	for name, data := range samples(t) {
		bad := bytes.Clone(data)
		step := max(1, len(data)/400)
		for at := 0; at+8 < len(data); at += step {
			copy(bad[at:], []byte{0xf0, 0xff, 0xff, 0xff, 0xff, 0x3f, 0, 0})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, errs := readAll(bad, true)
			runtime.ReadMemStats(&after)
			wantFormatErrors(t, name, len(data), errs)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(expandFloor+500*len(data)), "%s at %d", name, at)
			copy(bad[at:at+8], data[at:])
		}
	}
}

// find the n-th occurrence of a signature.
func occurrence(t *testing.T, data []byte, signature string, n int) int {
	t.Helper()
	at := -1
	for range n + 1 {
		i := bytes.Index(data[at+1:], []byte(signature))
		require.GreaterOrEqual(t, i, 0)
		at += 1 + i
	}
	return at
}

func TestCycles(t *testing.T) {
	old := samples(t)["groups_old.h5"]
	tree := -1 // a node whose children are nodes
	for n := 0; tree < 0; n++ {
		if at := occurrence(t, old, "TREE", n); old[at+5] > 0 {
			tree = at
		}
	}
	put := func(data []byte, at, to int) []byte {
		out := bytes.Clone(data)
		binary.LittleEndian.PutUint64(out[at:], uint64(to))
		return out
	}
	head := tree + 8 + 16 + 8 // its first child's address
	for name, bad := range map[string][]byte{
		"node its own child": put(old, head, tree),
		"one child twice":    put(old, head, int(binary.LittleEndian.Uint64(old[head+16:]))),
	} {
		_, errs := readAll(bad, false)
		require.NotEmpty(t, errs, name)
		wantFormatErrors(t, name, len(bad), errs)
	}
	odd := samples(t)["odd_old.h5"]
	objects, _ := readAll(odd, false)
	require.Less(t, objects, 20, "a group that contains the root")
}

func TestNotHDF5(t *testing.T) {
	for name, data := range map[string][]byte{"empty": nil, "short": []byte("abc"), "text": bytes.Repeat([]byte("text "), 1000),
		"zeros": make([]byte, 5000), "signature only": []byte(signature), "zip": append([]byte("PK\x03\x04"), make([]byte, 600)...)} {
		_, errs := readAll(data, false)
		require.Len(t, errs, 1, name)
		wantFormatErrors(t, name, len(data), errs)
	}
	_, err := Open(filepath.Join("testdata", "nothing.h5"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open("testdata")
	require.ErrorContains(t, err, "regular file")
}

func FuzzFile(f *testing.F) {
	for _, data := range samples(f) {
		if len(data) < 5_000 { // mutations of large files rarely meet anything
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, errs := readAll(data, true)
		wantFormatErrors(t, "fuzz", len(data), errs)
	})
}

// TestOverlappingNames has a group whose members' names are all in one long text, each a letter shorter than the one before.
func TestOverlappingNames(t *testing.T) {
	const members, letters = 5000, 400_000
	const header, tree, heap, node = 96, 136, 184, 224 // places in the file
	le := binary.LittleEndian
	out := []byte(signature + "\x00\x00\x00\x00\x00\x08\x08\x00\x04\x00\x10\x00\x00\x00\x00\x00")
	u64 := func(values ...uint64) {
		for _, v := range values {
			out = le.AppendUint64(out, v)
		}
	}
	const entry = 40
	names := uint64(node + 8 + members*entry)
	u64(0, 1<<64-1, names+letters+1, 1<<64-1) // base, free space, end, driver
	u64(0, header, 0, 0, 0)                   // the root group
	out = append(out, "\x01\x00\x01\x00\x01\x00\x00\x00\x18\x00\x00\x00\x00\x00\x00\x00\x11\x00\x10\x00\x00\x00\x00\x00"...)
	u64(tree, heap)
	out = append(out, "TREE\x00\x00\x01\x00"...)
	u64(1<<64-1, 1<<64-1, 0, node, 0)
	out = append(out, make([]byte, heap-len(out))...)
	out = append(out, "HEAP\x00\x00\x00\x00"...)
	u64(letters+1, 1<<64-1, names)
	out = append(out, make([]byte, node-len(out))...)
	out = append(out, "SNOD\x01\x00"...)
	out = le.AppendUint16(out, members)
	for i := range uint64(members) {
		u64(i, header, 0, 0, 0)
	}
	out = append(append(out, bytes.Repeat([]byte{'a'}, letters)...), 0)

	f, err := NewFile(bytes.NewReader(out), int64(len(out)), "file")
	require.NoError(t, err)
	root, err := f.Root()
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = root.Links()
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "structures that lie side by side")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
}

// TestStringsOfNothing has strings that nobody wrote: each takes more memory here than in the file.
func TestStringsOfNothing(t *testing.T) {
	f := &File{size: 1 << 10, path: "file"}
	_, err := f.strings(datatype{name: String, size: 1}, make([]byte, 32<<20), "a dataset", 0)
	require.ErrorContains(t, err, "unpack to at most")
	out, err := f.strings(datatype{name: String, size: 1}, make([]byte, 3), "a dataset", 0)
	require.NoError(t, err)
	require.Equal(t, []string{"", "", ""}, out)
}
