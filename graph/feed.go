package graph

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// feed brings the value of an input node to the program.
type feed struct {
	v      *Value
	bound  gorgonia.Value // the value that buffer wraps
	data   op.Array
	buffer Buffer
	box    gorgonia.Value // a scalar, or a tensor that is not dense and row-major: copied into data before every run
	at     uintptr        // address of the bound tensor's elements, if box is nil

	stale  bool // its buffer is to be brought what is in data
	hosted bool // a variable that the caller's program reads and writes between runs, as Gorgonia's solvers do
}

// update binds the node's value if it is another one than last time, and says whether it is to be uploaded. Nothing is allocated when the
// same tensor is fed again.
func (f *feed) update(e Engine, prog Program) (err error) {
	f.stale = false
	defer func() {
		if r := recover(); r != nil { // in the methods of a type of the caller's
			err = &FeedError{Node: f.v.Name, Wanted: f.wanted(), Got: fmt.Sprintf("a value that panics: %v", r)}
		}
	}()
	now, err := f.v.fed()
	if err != nil {
		return err
	}
	if now == nil {
		return &FeedError{Node: f.v.Name, Wanted: f.wanted(), Got: "no value", Remedy: "bind one with gorgonia.Let before running"}
	}
	if !f.current(now) {
		if err := f.bind(now, e, prog); err != nil {
			return err
		}
	}
	if f.box != nil {
		if err := f.refresh(); err != nil {
			return err
		}
	}
	if (f.v.Variable && !f.hosted || f.v.Resident) && f.box == nil {
		return nil // uploaded when it was bound; of variables the device has the newest value
	}
	f.stale = true
	return nil
}

// fed returns the value that an input has now.
func (v *Value) fed() (gorgonia.Value, error) {
	if v.source != nil {
		return v.source()
	}
	return v.Node.Value(), nil
}

// current says whether now is still what was bound. A tensor may have been reshaped, transposed or given other memory
// since, which its pointer does not tell.
func (f *feed) current(now gorgonia.Value) bool {
	if now != f.bound {
		return false
	}
	d, dense := now.(*tensor.Dense)
	return !dense || shape.Equal(d.Shape(), f.v.Shape) && (f.box != nil || !boxed(d) && d.Uintptr() == f.at)
}

// boxed says that the elements of a tensor cannot be used where they are.
func boxed(d *tensor.Dense) bool {
	return d.Shape().IsScalar() || d.RequiresIterator() || !d.DataOrder().IsRowMajor()
}

func (f *feed) wanted() string {
	return fmt.Sprintf("%v of shape %v", f.v.Dtype, f.v.Shape)
}

func (f *feed) bind(now gorgonia.Value, e Engine, prog Program) error {
	if now.Dtype() != f.v.Dtype || !shape.Equal(now.Shape(), f.v.Shape) {
		return &FeedError{Node: f.v.Name, Wanted: f.wanted(), Got: fmt.Sprintf("%v of shape %v", now.Dtype(), now.Shape()),
			Remedy: "convert the value, or build the graph for this shape"}
	}
	var box gorgonia.Value
	var at uintptr
	d, dense := now.(*tensor.Dense)
	switch {
	case dense && !d.DataOrder().IsRowMajor() && !d.IsMaterializable():
		return &FeedError{Node: f.v.Name, Wanted: f.wanted() + " in row-major order", Got: "a column-major tensor",
			Remedy: "make the tensor without tensor.AsFortran"}
	case !dense || boxed(d):
		box = now
		if dense && f.v.Variable && !d.Shape().IsScalar() {
			return &FeedError{Node: f.v.Name, Wanted: "a dense row-major tensor, because it is updated", Got: "a view or a transposed tensor",
				Remedy: "clone it"}
		}
	case f.v.Len() > 0:
		at = d.Uintptr()
	}
	data, err := op.AsArray(now)
	if err != nil {
		return &FeedError{Node: f.v.Name, Wanted: f.wanted(), Got: err.Error()}
	}
	b, err := e.Wrap(data)
	if err != nil {
		return err
	}
	if err := prog.Bind(f.v, b); err != nil {
		return errors.Join(err, b.Close())
	}
	if f.buffer != nil {
		if err := f.buffer.Close(); err != nil {
			return err
		}
	}
	f.buffer, f.data, f.bound, f.box, f.at = b, data, now, box, at
	if err := b.Upload(data); err != nil {
		f.bound = nil // the next run tries again
		return err
	}
	return nil
}

// refresh copies a boxed value into data.
func (f *feed) refresh() error {
	switch x := f.box.(type) {
	case *gorgonia.F32:
		f.data.Data.([]float32)[0] = float32(*x)
	case *gorgonia.F64:
		f.data.Data.([]float64)[0] = float64(*x)
	case *gorgonia.I:
		f.data.Data.([]int)[0] = int(*x)
	case *tensor.Dense:
		if len(f.v.Shape) > 0 || x.IsMasked() || f.v.Dtype != tensor.Float32 && f.v.Dtype != tensor.Float64 && f.v.Dtype != tensor.Int {
			return f.refreshTensor()
		}
		switch to := f.data.Data.(type) { // op.AsArray would allocate an array for the number
		case []float32:
			to[0] = x.Float32s()[0]
		case []float64:
			to[0] = x.Float64s()[0]
		case []int:
			to[0] = x.Ints()[0]
		}
	default:
		return f.refreshTensor()
	}
	return nil
}

func (f *feed) refreshTensor() error {
	a, err := op.AsArray(f.box)
	if err != nil {
		return &FeedError{Node: f.v.Name, Wanted: f.wanted(), Got: err.Error()}
	}
	op.Copy(f.data, a)
	return nil
}

// unbox writes an updated scalar back into the caller's value.
func (f *feed) unbox() error {
	if err := f.buffer.Download(f.data); err != nil {
		return err
	}
	if d, ok := f.box.(*tensor.Dense); ok {
		switch x := f.data.Data.(type) {
		case []float32:
			d.Float32s()[0] = x[0]
		case []float64:
			d.Float64s()[0] = x[0]
		case []int:
			d.Ints()[0] = x[0]
		}
		return nil
	}
	setScalar(f.box, f.data)
	return nil
}

// detach gives the program a copy of the bound value, renewed before every run, for a value whose memory the run overwrites.
func (f *feed) detach(e Engine, prog Program) error {
	data, err := op.NewArray(f.v.Dtype, f.v.Shape)
	if err != nil {
		return err
	}
	b, err := e.Wrap(data)
	if err != nil {
		return err
	}
	if err := prog.Bind(f.v, b); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := f.buffer.Close(); err != nil {
		return err
	}
	f.buffer, f.data, f.box, f.at = b, data, f.bound, 0
	if err := f.refresh(); err != nil {
		return err
	}
	return b.Upload(data)
}

// fetch brings an output to the host.
type fetch struct {
	data   op.Array
	buffer Buffer
	value  gorgonia.Value
}

func newFetch(v *Value, e Engine, prog Program) (*fetch, error) {
	data, err := op.NewArray(v.Dtype, v.Shape)
	if err != nil {
		return nil, err
	}
	b, err := e.Wrap(data)
	if err != nil {
		return nil, err
	}
	if err := prog.Bind(v, b); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &fetch{data: data, buffer: b, value: data.Value()}, nil
}

// view is v, which shares the memory of what f fetches. It owns no buffer.
func view(v *Value, f *fetch) *fetch {
	w := &fetch{data: op.Array{Shape: v.Shape, Data: f.data.Data}}
	w.value = w.data.Value()
	return w
}

func (f *fetch) update() error {
	if f.buffer != nil {
		if err := f.buffer.Download(f.data); err != nil {
			return err
		}
	}
	setScalar(f.value, f.data)
	return nil
}

// setScalar writes a into a scalar value; a tensor shares its memory with a already.
func setScalar(v gorgonia.Value, a op.Array) {
	switch x := v.(type) {
	case *gorgonia.F32:
		*x = gorgonia.F32(a.Data.([]float32)[0])
	case *gorgonia.F64:
		*x = gorgonia.F64(a.Data.([]float64)[0])
	case *gorgonia.I:
		*x = gorgonia.I(a.Data.([]int)[0])
	case *gorgonia.I32:
		*x = gorgonia.I32(a.Data.([]int32)[0])
	case *gorgonia.I64:
		*x = gorgonia.I64(a.Data.([]int64)[0])
	case *gorgonia.U8:
		*x = gorgonia.U8(a.Data.([]uint8)[0])
	case *gorgonia.B:
		*x = gorgonia.B(a.Data.([]bool)[0])
	}
}
