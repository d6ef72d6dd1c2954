package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/nn"
)

// part is a node of a model that is made by hand.
type part struct {
	opType  string
	in, out []string
	attrs   []attr
}

// byHand encodes a model with input "x" (batch, 3, 4, 4), the given nodes and initializers, and output "y".
func byHand(opset int, tensors map[string]*array, parts ...part) []byte {
	g := &encoder{}
	for _, p := range parts {
		n := &encoder{}
		for _, name := range p.in {
			n.text(1, name)
		}
		for _, name := range p.out {
			n.text(2, name)
		}
		n.text(4, p.opType)
		for _, a := range p.attrs {
			n.message(5, attrMessage(a))
		}
		g.message(1, n)
	}
	for name, a := range tensors {
		g.message(5, tensorMessage(name, a))
	}
	g.message(11, valueMessage("x", elemFloat, []int{-1, 3, 4, 4}, "batch"))
	for _, p := range parts {
		if slices.Contains(p.in, "i") { // the second input is there where it is used
			g.message(11, valueMessage("i", elemInt64, []int{-1, 3}, "batch"))
			break
		}
	}
	g.message(12, valueMessage("y", elemFloat, []int{-1}, "n"))
	return wrapped(opset, g)
}

func wrapped(opset int, g *encoder) []byte {
	m := &encoder{}
	m.integer(1, 8)
	m.message(7, g)
	o := &encoder{}
	o.text(1, "")
	o.integer(2, int64(opset))
	m.message(8, o)
	var b bytes.Buffer
	if err := m.writeTo(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// attempt decodes and builds; the error of either.
func attempt(raw []byte) error {
	g, err := Decode(raw)
	if err != nil {
		return err
	}
	_, err = g.Build(gorgonia.NewGraph(), BuildConfig{Batch: 2, MaxConstants: 1 << 20})
	if err == nil {
		_, err = g.Model(ModelConfig{MaxConstants: 1 << 20})
	}
	return err
}

// typed fails unless an error is one of this package.
func typed(t *testing.T, err error) {
	t.Helper()
	var f *FormatError
	var g *GraphError
	var u *UnsupportedError
	require.True(t, errors.As(err, &f) || errors.As(err, &g) || errors.As(err, &u), "%T: %v", err, err)
}

func smallFile(t testing.TB) []byte {
	m, err := small(nn.ChannelsLast)
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, gorgonia.Float32))
	var b bytes.Buffer
	require.NoError(t, Encode(&b, m, WriteConfig{}))
	return b.Bytes()
}

// TestSharedInnerValues: what many layers would each compute is bounded.
func TestSharedInnerValues(t *testing.T) {
	model := func(exits int) error {
		shapes := map[string]*array{"flat": {elem: elemInt64, shape: []int{1}, i64: []int64{-1}}, "rows": {elem: elemInt64, shape: []int{2}, i64: []int64{-1, 48}}}
		parts := []part{{"Reshape", []string{"x", "flat"}, []string{"r0"}, nil}}
		for i := range 40 { // of all samples' numbers in one row
			parts = append(parts, part{"Relu", []string{fmt.Sprint("r", i)}, []string{fmt.Sprint("r", i+1)}, nil})
		}
		var sum []string
		for i := range exits {
			sum = append(sum, fmt.Sprint("e", i))
			parts = append(parts, part{"Reshape", []string{"r40", "rows"}, sum[i:], nil})
		}
		return attempt(byHand(13, shapes, append(parts, part{"Sum", sum, []string{"y"}, nil})...))
	}
	require.NoError(t, model(4))
	err := model(80)
	typed(t, err)
	require.ErrorContains(t, err, "more than 16 times its 122 nodes")
}

func TestTruncatedFiles(t *testing.T) {
	raw := smallFile(t)
	for n := range len(raw) {
		if n > 200 && n%(len(raw)/200) != 0 {
			continue
		}
		typed(t, attempt(raw[:n]))
	}
}

// TestFlippedBytes changes bytes: the result may be another valid model, and otherwise is an error.
func TestFlippedBytes(t *testing.T) {
	raw := smallFile(t)
	for i := 0; i < len(raw); i++ {
		if i > 1500 && i%97 != 0 {
			continue // mostly the numbers of weights
		}
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			raw[i] ^= flip
			if err := attempt(raw); err != nil {
				typed(t, err)
			}
			raw[i] ^= flip
		}
	}
	require.NoError(t, attempt(raw))
}

func TestHostileGraphs(t *testing.T) {
	long := func(v ...int64) *array { return &array{elem: elemInt64, shape: []int{len(v)}, i64: v} }
	huge := long(1<<30, 1<<30)
	relu := part{"Relu", []string{"x"}, []string{"y"}, nil}
	scales := func(columns float32) *array {
		return &array{elem: elemFloat, shape: []int{4}, f32: []float32{1, 1, 1, columns}}
	}
	var taps, widths, sizes []part // many cheap nodes, each made of many pieces
	for i := range 30 {
		last := map[bool]string{false: fmt.Sprintf("t%d", i), true: "y"}[i == 29]
		before := map[bool]string{false: fmt.Sprintf("t%d", i-1), true: "x"}[i == 0]
		between := fmt.Sprintf("b%d", i)
		taps = append(taps, part{"MaxPool", []string{before}, []string{last}, []attr{{"kernel_shape", []int{31, 31}}, {"dilations", []int{2, 2}}, {"pads", []int{30, 30, 30, 30}}}})
		widths = append(widths, part{"Pad", []string{before, "more"}, []string{between}, []attr{{"mode", "edge"}}}, part{"Pad", []string{between, "less"}, []string{last}, nil})
		sizes = append(sizes, part{"Resize", []string{before, "", "up"}, []string{between}, nil}, part{"Resize", []string{between, "", "down"}, []string{last}, nil})
	}
	cases := map[string]struct {
		raw  []byte
		want string
	}{
		"many taps":      {byHand(17, nil, taps...), "more places and pieces than allowed"},
		"many widths":    {byHand(17, map[string]*array{"more": long(0, 0, 0, 0, 0, 0, 0, 1<<20), "less": long(0, 0, 0, 0, 0, 0, 0, -1<<20)}, widths...), "more places and pieces than allowed"},
		"many places":    {byHand(17, map[string]*array{"up": scales(1 << 20), "down": scales(1. / (1 << 20))}, sizes...), "more places and pieces than allowed"},
		"escapes":        {byHand(17, nil, part{"Re\x1b[2Jlu", []string{"x"}, []string{"y"}, nil}), `"Re\x1b[2Jlu"`},
		"nothing":        {nil, "is this an ONNX file?"},
		"text":           {[]byte("<html><body>404</body></html>"), "expected"},
		"cycle":          {byHand(17, nil, part{"Add", []string{"x", "b"}, []string{"a"}, nil}, part{"Relu", []string{"a"}, []string{"b"}, nil}, part{"Relu", []string{"b"}, []string{"y"}, nil}), "depends on itself"},
		"dangling":       {byHand(17, nil, part{"Add", []string{"x", "nowhere"}, []string{"y"}, nil}), `input 1, "nowhere", is not made by anything`},
		"no output":      {byHand(17, nil, part{"Relu", []string{"x"}, []string{"z"}, nil}), `its output "y" is not made`},
		"twice":          {byHand(17, nil, relu, relu), "made twice"},
		"old":            {byHand(0, nil, relu), "version 0"},
		"new":            {byHand(1000, nil, relu), "version 1000"},
		"unknown":        {byHand(17, nil, part{"Loop", []string{"x"}, []string{"a"}, nil}, part{"Loop", []string{"a"}, []string{"b"}, nil}, part{"NonZero", []string{"b"}, []string{"y"}, nil}), "3 nodes of operations that are not supported: Loop (2), NonZero (1)"},
		"attribute":      {byHand(17, nil, part{"Relu", []string{"x"}, []string{"y"}, []attr{{"strange", 1}}}), `attribute "strange" is not supported`},
		"huge fill":      {byHand(17, map[string]*array{"s": huge}, part{"ConstantOfShape", []string{"s"}, []string{"c"}, nil}, part{"Add", []string{"x", "c"}, []string{"y"}, nil}), "more memory than allowed"},
		"huge expand":    {byHand(17, map[string]*array{"s": long(1<<30, 2, 3, 4, 4)}, part{"Expand", []string{"x", "s"}, []string{"y"}, nil}), "Expand"},
		"huge reshape":   {byHand(17, map[string]*array{"s": huge}, part{"Reshape", []string{"x", "s"}, []string{"y"}, nil}), "Reshape"},
		"tile to zero":   {byHand(17, map[string]*array{"n": long(1 << 24), "t": long(1 << 40)}, part{"ConstantOfShape", []string{"n"}, []string{"c"}, nil}, part{"Tile", []string{"c", "t"}, []string{"d"}, nil}, part{"Add", []string{"x", "d"}, []string{"y"}, nil}), "allowed"},
		"tile negative":  {byHand(17, map[string]*array{"s": long(-1, -1, 1, 1)}, part{"Tile", []string{"x", "s"}, []string{"y"}, nil}), "must be 0 or more"},
		"huge tile":      {byHand(17, map[string]*array{"s": long(1<<30, 1<<30, 1, 1)}, part{"Tile", []string{"x", "s"}, []string{"y"}, nil}), "Tile"},
		"huge pad":       {byHand(17, map[string]*array{"s": long(1<<40, 0, 0, 0, 0, 0, 0, 0)}, part{"Pad", []string{"x", "s"}, []string{"y"}, nil}), "Pad"},
		"huge range":     {byHand(17, map[string]*array{"a": long(0), "b": long(1 << 40), "c": long(1)}, part{"Range", []string{"a", "b", "c"}, []string{"r"}, nil}, part{"Cast", []string{"r"}, []string{"f"}, []attr{{"to", 1}}}, part{"Mul", []string{"x", "f"}, []string{"y"}, nil}), "Range"},
		"huge window":    {byHand(17, nil, part{"MaxPool", []string{"x"}, []string{"y"}, []attr{{"kernel_shape", []int{1 << 40, 1}}}}), "MaxPool"},
		"negative pads":  {byHand(17, nil, part{"MaxPool", []string{"x"}, []string{"y"}, []attr{{"kernel_shape", []int{2, 2}}, {"pads", []int{-1, 0, 0, 0}}}}), "pads [-1 0 0 0] must be 0 or more"},
		"no shape":       {byHand(17, map[string]*array{"s": {elem: elemFloat, shape: []int{1}, f32: []float32{4}}}, part{"Reshape", []string{"x", "s"}, []string{"y"}, nil}), "vector of integers"},
		"computed shape": {byHand(17, nil, part{"Reshape", []string{"x", "x"}, []string{"y"}, nil}), "must be known when the graph is built"},
		"few inputs":     {byHand(17, nil, part{"Conv", []string{"x"}, []string{"y"}, nil}), "takes 2 to 3 inputs"},
		"left out":       {byHand(17, nil, part{"Add", []string{"x", ""}, []string{"y"}, nil}), "takes 2 to 2 inputs"},
		"axis":           {byHand(17, nil, part{"Softmax", []string{"x"}, []string{"y"}, []attr{{"axis", 7}}}), "axis 7 is none of 4 axes"},
		"divided":        {byHand(17, map[string]*array{"a": long(4), "b": long(0)}, part{"Div", []string{"a", "b"}, []string{"s"}, nil}, part{"Reshape", []string{"x", "s"}, []string{"y"}, nil}), "cannot compute with the integers 4 and 0"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := attempt(c.raw)
			require.ErrorContains(t, err, c.want)
			typed(t, err)
		})
	}
}

// TestDeclaredSizes declares tensors that are not there: nothing is allocated for them.
func TestDeclaredSizes(t *testing.T) {
	for _, dims := range [][]int64{{1 << 39}, {1 << 31, 1 << 31, 1 << 31}, {-1}, {1 << 62, 4}, {4}} {
		tensor := &encoder{}
		for _, d := range dims {
			tensor.integer(1, d)
		}
		tensor.integer(2, int64(elemFloat))
		tensor.text(8, "w")
		tensor.bytes(9, []byte{1, 2, 3})
		g := &encoder{}
		n := &encoder{}
		for i, name := range []string{"x", "w", "y"} {
			n.text([]protowire.Number{1, 1, 2}[i], name)
		}
		n.text(4, "Add")
		g.message(1, n)
		g.message(5, tensor)
		g.message(11, valueMessage("x", elemFloat, []int{4}, ""))
		g.message(12, valueMessage("y", elemFloat, []int{4}, ""))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := attempt(wrapped(17, g))
		runtime.ReadMemStats(&after)
		typed(t, err)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	}
}

// external makes a model whose tensor "w" lies in another file.
func external(entries ...[2]string) []byte {
	tensor := &encoder{}
	tensor.integer(1, 2)
	tensor.integer(2, int64(elemFloat))
	tensor.text(8, "w")
	for _, e := range entries {
		m := &encoder{}
		m.text(1, e[0])
		m.text(2, e[1])
		tensor.message(13, m)
	}
	tensor.integer(14, 1)
	n := &encoder{}
	n.text(1, "x")
	n.text(1, "w")
	n.text(2, "y")
	n.text(4, "Mul")
	g := &encoder{}
	g.message(1, n)
	g.message(5, tensor)
	g.message(11, valueMessage("x", elemFloat, []int{2}, ""))
	g.message(12, valueMessage("y", elemFloat, []int{2}, ""))
	return wrapped(17, g)
}

func TestExternalData(t *testing.T) {
	top := t.TempDir()
	folder := filepath.Join(top, "model")
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "sub"), 0o777))
	numbers := []byte{9, 9, 9, 9, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40} // four bytes, 1, 2
	require.NoError(t, os.WriteFile(filepath.Join(top, "secret"), numbers, 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "sub", "w.bin"), numbers, 0o666))
	if err := os.Symlink("../secret", filepath.Join(folder, "link")); err != nil {
		t.Logf("no symbolic links here: %v", err)
	}
	path := filepath.Join(folder, "m.onnx")
	build := func(entries ...[2]string) (*Net, error) {
		require.NoError(t, os.WriteFile(path, external(entries...), 0o666))
		g, err := Read(path)
		require.NoError(t, err)
		return g.Build(gorgonia.NewGraph(), BuildConfig{})
	}
	net, err := build([2]string{"location", "sub/w.bin"}, [2]string{"offset", "4"}, [2]string{"length", "8"})
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2}, net.Params[0].Weight.Value.Data())
	for _, bad := range [][][2]string{
		{{"location", "../secret"}, {"offset", "4"}}, {{"location", filepath.Join(top, "secret")}, {"offset", "4"}}, {{"location", "link"}, {"offset", "4"}},
		{{"location", "sub/../../secret"}}, {{"location", ""}}, {{"location", "sub"}}, {{"location", "missing"}}, {{"location", "sub/w.bin"}, {"offset", "5"}},
		{{"location", "sub/w.bin"}, {"offset", "-1"}}, {{"location", "sub/w.bin"}, {"length", "4"}}, {{"location", "sub/w.bin"}, {"offset", "9223372036854775807"}},
		{{"location", "sub/w.bin"}, {"offset", "four"}},
	} {
		_, err := build(bad...)
		require.Error(t, err, "%v", bad)
		typed(t, err)
	}
	// Tensors of which each is the whole file.
	require.NoError(t, os.WriteFile(filepath.Join(folder, "big"), make([]byte, 1<<20), 0o666))
	both := &limits{maxMessages, map[string]int64{}}
	for i := range 6 {
		w := &tensorProto{name: "w", limits: both, isExternal: true, external: []entryProto{{"location", "big"}}}
		if _, err := w.readExternal(folder, 1<<20); i < 5 {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "again and again")
			typed(t, err)
		}
	}
	g, err := Decode(external([2]string{"location", "sub/w.bin"}))
	require.NoError(t, err)
	_, err = g.Build(gorgonia.NewGraph(), BuildConfig{})
	require.ErrorContains(t, err, "read the model from its file")
}

// FuzzDecode looks for panics.
func FuzzDecode(f *testing.F) {
	f.Add(smallFile(f))
	f.Add(external([2]string{"location", "w"}))
	f.Add(byHand(17, map[string]*array{"s": {elem: elemInt64, shape: []int{2}, i64: []int64{0, -1}}, "w": {elem: elemFloat, shape: []int{2, 3, 1, 1}, f32: make([]float32, 6)}},
		part{"Conv", []string{"x", "w"}, []string{"c"}, []attr{{"pads", []int{1, 1, 1, 1}}}}, part{"Reshape", []string{"c", "s"}, []string{"r"}, nil},
		part{"Softmax", []string{"r"}, []string{"y"}, nil}))
	f.Add(byHand(10, nil, part{"Shape", []string{"x"}, []string{"s"}, nil}, part{"ConstantOfShape", []string{"s"}, []string{"c"}, nil},
		part{"Concat", []string{"x", "c"}, []string{"d"}, []attr{{"axis", 1}}}, part{"LRN", []string{"d"}, []string{"y"}, []attr{{"size", 3}}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		if err := attempt(raw); err != nil {
			typed(t, err)
		}
	})
}

// TestManyMessages is a file of empty nodes: two bytes each, which would take a hundred times as much memory.
func TestManyMessages(t *testing.T) {
	g := &encoder{}
	for range maxMessages + 1 {
		g.bytes(1, nil)
	}
	err := attempt(wrapped(17, g))
	require.ErrorContains(t, err, "at most 1048576 nodes, attributes and the like")
	typed(t, err)
}
