// Package numtest helps tests judge numbers: golden files made with Keras and PyTorch, one table of tolerances, gradient
// checks by central differences, slices between NaN guards, and seeded random tensors. Only tests import it.
package numtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"

	"gorgonia.org/tensor"
)

// Golden is the content of one file of reference values. scripts/golden/README.md says how the files are made and what
// their cases, attributes and tensors are called.
type Golden struct {
	path  string
	Cases []*Case // in the order of the file
}

// Case is one named computation: its attributes, inputs, results and gradients.
type Case struct {
	t       testing.TB
	file    string
	Name    string
	attrs   map[string]any
	tensors map[string]*Tensor
}

// Tensor is a reference tensor, row-major. A scalar has an empty Shape and one element.
type Tensor struct {
	Shape []int
	Dtype string // "float32", "float64" or "int"; how the values were rounded, not how they were computed
	Data  []float64
}

// LoadGolden reads a golden file; path is relative to the test's folder. A file that is missing or malformed ends the
// test with the reason.
func LoadGolden(t testing.TB, path string) *Golden {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("golden file: %v; scripts/golden/README.md says how to make it", err)
		return nil
	}
	g, err := parseGolden(t, path, raw)
	if err != nil {
		t.Fatalf("golden file %s: %v", path, err)
		return nil
	}
	return g
}

func parseGolden(t testing.TB, path string, raw []byte) (*Golden, error) {
	var file struct {
		Cases []struct {
			Name    string
			Attrs   map[string]any
			Tensors map[string]struct {
				Shape []int
				Dtype string
				Data  []any
			}
		}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&file); err != nil {
		return nil, err
	}
	if len(file.Cases) == 0 {
		return nil, fmt.Errorf("no cases")
	}
	g := &Golden{path: path}
	for _, fc := range file.Cases {
		c := &Case{t: t, file: path, Name: fc.Name, attrs: fc.Attrs, tensors: map[string]*Tensor{}}
		for name, ft := range fc.Tensors {
			x := &Tensor{Shape: ft.Shape, Dtype: ft.Dtype, Data: make([]float64, len(ft.Data))}
			bits := 64
			if ft.Dtype == "float32" {
				bits = 32 // parsing at the width of the stored value gives back the very bits that were written
			}
			for i, v := range ft.Data {
				f, err := strconv.ParseFloat(fmt.Sprint(v), bits)
				if err != nil {
					return nil, fmt.Errorf("case %q, tensor %q, element %d: %w", fc.Name, name, i, err)
				}
				x.Data[i] = f
			}
			if want := tensor.Shape(ft.Shape).TotalSize(); want != len(x.Data) {
				return nil, fmt.Errorf("case %q, tensor %q: shape %v has %d elements, file has %d", fc.Name, name, ft.Shape, want, len(x.Data))
			}
			c.tensors[name] = x
		}
		g.Cases = append(g.Cases, c)
	}
	return g, nil
}

// Case returns the case of that name and ends the test when there is none.
func (g *Golden) Case(t testing.TB, name string) *Case {
	t.Helper()
	names := make([]string, 0, len(g.Cases))
	for _, c := range g.Cases {
		if c.Name == name {
			return c.For(t)
		}
		names = append(names, c.Name)
	}
	t.Fatalf("golden file %s: no case %q; it has %s", g.path, name, strings.Join(names, ", "))
	return nil
}

// For returns the case reporting to another test: the subtest that looks at it.
func (c *Case) For(t testing.TB) *Case {
	own := *c
	own.t = t
	return &own
}

// Has says whether the case has a tensor of that name, e.g. an optional bias "b".
func (c *Case) Has(name string) bool { return c.tensors[name] != nil }

// Tensor returns a tensor of the case and ends the test when there is none of that name.
func (c *Case) Tensor(name string) *Tensor {
	c.t.Helper()
	if x := c.tensors[name]; x != nil {
		return x
	}
	c.t.Fatalf("golden file %s, case %q: no tensor %q; it has %s", c.file, c.Name, name, strings.Join(sortedKeys(c.tensors), ", "))
	return nil
}

// Str, Float, Int and Ints return an attribute and end the test when it is missing or of another type.
func (c *Case) Str(name string) string {
	c.t.Helper()
	v, ok := c.attr(name).(string)
	c.mustBe(ok, name, "a string")
	return v
}

// Float returns a numeric attribute; see [Case.Str].
func (c *Case) Float(name string) float64 {
	c.t.Helper()
	v, ok := c.attr(name).(json.Number)
	f, err := strconv.ParseFloat(string(v), 64)
	c.mustBe(ok && err == nil, name, "a number")
	return f
}

// Int returns an integral attribute; see [Case.Str].
func (c *Case) Int(name string) int {
	c.t.Helper()
	f := c.Float(name)
	c.mustBe(f == math.Trunc(f), name, "an integer")
	return int(f)
}

// Ints returns an attribute that is a list of integers; see [Case.Str].
func (c *Case) Ints(name string) []int {
	c.t.Helper()
	list, ok := c.attr(name).([]any)
	c.mustBe(ok, name, "a list")
	out := make([]int, len(list))
	for i, v := range list {
		n, err := strconv.Atoi(fmt.Sprint(v))
		c.mustBe(err == nil, name, "a list of integers")
		out[i] = n
	}
	return out
}

// HasAttr says whether the case has an attribute of that name.
func (c *Case) HasAttr(name string) bool { _, ok := c.attrs[name]; return ok }

func (c *Case) attr(name string) any {
	c.t.Helper()
	v, ok := c.attrs[name]
	if !ok {
		c.t.Fatalf("golden file %s, case %q: no attribute %q; it has %s", c.file, c.Name, name, strings.Join(sortedKeys(c.attrs), ", "))
	}
	return v
}

func (c *Case) mustBe(ok bool, name, what string) {
	c.t.Helper()
	if !ok {
		c.t.Fatalf("golden file %s, case %q: attribute %q is not %s: %v", c.file, c.Name, name, what, c.attrs[name])
	}
}

// Float32 returns the values as float32; exact for tensors of dtype "float32".
func (x *Tensor) Float32() []float32 {
	out := make([]float32, len(x.Data))
	for i, v := range x.Data {
		out[i] = float32(v)
	}
	return out
}

// Ints returns the values as integers.
func (x *Tensor) Ints() []int {
	out := make([]int, len(x.Data))
	for i, v := range x.Data {
		out[i] = int(v)
	}
	return out
}

// Dense returns a new tensor of the wanted dtype: tensor.Float32, tensor.Float64 or tensor.Int.
func (x *Tensor) Dense(dtype tensor.Dtype) *tensor.Dense { return dense(dtype, x.Shape, x.Data) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
