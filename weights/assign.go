package weights

import (
	"fmt"
	"slices"
	"strings"
)

// NamedTensor is a place that a stored tensor is copied to.
type NamedTensor struct {
	Name  string
	Shape []int
	// Data is the slice that receives the values: the product of Shape elements of
	// a type that [Tensor] lists.
	Data any
}

// MismatchError says that stored tensors do not belong to a model. Each list
// holds every name concerned, in the order of the model, then of the file; the
// message shows the first few.
type MismatchError struct {
	// ModelArch and FileArch name the architectures where they are known.
	ModelArch, FileArch string
	// ModelTensors and FileTensors count what was to be matched.
	ModelTensors, FileTensors int
	// Missing are names of the model that the file lacks, with their shapes.
	Missing []string
	// Unexpected are names of the file that the model lacks, with their shapes.
	Unexpected []string
	// Different are names of both whose shape or dtype differ, with both.
	Different []string
}

// Error is the whole story in one message of a few lines.
func (e *MismatchError) Error() string {
	var b strings.Builder
	switch {
	case e.ModelArch != e.FileArch:
		fmt.Fprintf(&b, "weights: the checkpoint holds the architecture %q, the model is %q", e.FileArch, e.ModelArch)
	case len(e.Missing)+len(e.Unexpected) > 0:
		b.WriteString("weights: the stored tensors belong to another architecture")
	default:
		b.WriteString("weights: the stored tensors differ from the model's (another number of classes or input size?)")
	}
	fmt.Fprintf(&b, ": the model wants %d tensors, the file holds %d", e.ModelTensors, e.FileTensors)
	list := func(what string, names []string) {
		if len(names) == 0 {
			return
		}
		const shown = 3
		fmt.Fprintf(&b, "\n    %d %s: %s", len(names), what, strings.Join(names[:min(shown, len(names))], ", "))
		if len(names) > shown {
			b.WriteString(", …")
		}
	}
	list("missing from the file", e.Missing)
	list("not in the model", e.Unexpected)
	list("of another shape or type", e.Different)
	b.WriteString("\n    nothing was changed; build the model that the file was written for, or name another file")
	return b.String()
}

// Assign copies the stored tensors src into dst, matching them by name. Every
// name must be on both sides with the same shape. The element types must be the
// same, or the stored one must convert without loss: F16 and BF16 to float32, and
// those and F32 to float64. If anything does not match, the error is a
// *MismatchError and dst is unchanged.
func Assign(dst []NamedTensor, src []Tensor) error { return assign(dst, src, "", "") }

// Assign copies the checkpoint's tensors, under their full names, into dst, like
// the function [Assign]. arch is the architecture of the model dst belongs to;
// one other than the checkpoint's is a mismatch even if all shapes agree.
// To use the weights alone, without the optimizer's state, call the function
// with c.Section("model/").
func (c *Checkpoint) Assign(arch string, dst []NamedTensor) error {
	return assign(dst, c.Tensors, arch, c.Arch)
}

func assign(dst []NamedTensor, src []Tensor, modelArch, fileArch string) error {
	stored := make(map[string]*Tensor, len(src))
	for i := range src {
		if stored[src[i].Name] != nil {
			return fmt.Errorf("weights: tensor %q is stored twice", src[i].Name)
		}
		stored[src[i].Name] = &src[i]
	}
	e := &MismatchError{ModelArch: modelArch, FileArch: fileArch, ModelTensors: len(dst), FileTensors: len(src)}
	copies := make([]func(), 0, len(dst))
	wanted := make(map[string]bool, len(dst))
	for _, d := range dst {
		if wanted[d.Name] {
			return fmt.Errorf("weights: the model has two tensors called %q", d.Name)
		}
		wanted[d.Name] = true
		length, dtype, ok := dataInfo(d.Data)
		if n, sound := elementCount(d.Shape); !ok || !sound || n != length {
			return fmt.Errorf("weights: the model's tensor %q has shape %v but its data is %T of %d elements", d.Name, d.Shape, d.Data, length)
		}
		s := stored[d.Name]
		if s == nil {
			e.Missing = append(e.Missing, fmt.Sprintf("%s %v", d.Name, d.Shape))
			continue
		}
		if _, _, err := s.check(); err != nil {
			return err // made by hand: what was read from a file is sound
		}
		move := copier(d.Data, s)
		if !slices.Equal(d.Shape, s.Shape) || move == nil {
			e.Different = append(e.Different, fmt.Sprintf("%s wants %s %v, the file has %s %v", d.Name, dtype, d.Shape, s.dtype(), s.Shape))
			continue
		}
		copies = append(copies, move)
	}
	for i := range src {
		if !wanted[src[i].Name] {
			e.Unexpected = append(e.Unexpected, fmt.Sprintf("%s %v", src[i].Name, src[i].Shape))
		}
	}
	if modelArch != fileArch || len(e.Missing)+len(e.Unexpected)+len(e.Different) > 0 {
		return e
	}
	for _, move := range copies {
		move()
	}
	return nil
}

// dtype is DType, or what the data stands for where DType was left empty.
func (t *Tensor) dtype() string {
	if t.DType == "" {
		_, natural, _ := dataInfo(t.Data)
		return natural
	}
	return t.DType
}

// copier returns the copy of s into dst, or nil if it would lose anything. It
// must not be run before the shapes were found equal.
func copier(dst any, s *Tensor) func() {
	// Equal types: the bits move as they are, unless they mean different things
	// (the halves are no uint16).
	if _, natural, _ := dataInfo(dst); natural == s.dtype() {
		return func() { copy(bytesOf(dst), bytesOf(s.Data)) }
	}
	_, is32 := dst.([]float32)
	_, is64 := dst.([]float64)
	if !is32 && !is64 || s.dtype() != "F16" && s.dtype() != "BF16" && s.dtype() != "F32" {
		return nil
	}
	return func() {
		from, err := s.Float32s()
		if err != nil {
			return // cannot happen: the dtype was checked above
		}
		switch d := dst.(type) {
		case []float32:
			copy(d, from)
		case []float64:
			for i, v := range from {
				d[i] = float64(v)
			}
		}
	}
}
