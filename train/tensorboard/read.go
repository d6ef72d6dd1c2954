package tensorboard

import (
	"encoding/binary"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Point is a value of a scalar's curve.
type Point struct {
	Step  int64
	Value float64
}

// ReadScalars reads the curves in a folder's event files by their tags, points in the order in which they were told: those that [Writer.Scalar]
// wrote, TensorFlow's tf.summary.scalar, or PyTorch's SummaryWriter.add_scalar. As in TensorBoard, a restart of the run, such as [Resume]
// tells, takes back what was told before of its step and of later ones. A last record that a crash cut short is not read; other
// damage is a *[FormatError]. A folder without such files has no curves.
func ReadScalars(dir string) (map[string][]Point, error) {
	files, err := Files(dir)
	if err != nil {
		return nil, err
	}
	out := map[string][]Point{}
	err = eachEvent(files, func(data []byte, e told) error {
		if e.started {
			for tag, points := range out {
				out[tag] = slices.DeleteFunc(points, func(p Point) bool { return p.Step >= e.step })
			}
		}
		for _, v := range e.values {
			if x, ok := scalarOf(v.message); ok {
				out[v.tag] = append(out[v.tag], Point{e.step, x})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for tag, points := range out {
		if len(points) == 0 {
			delete(out, tag)
		}
	}
	return out, nil
}

// scalarOf is the number that a message Summary.Value tells.
func scalarOf(value []byte) (v float64, ok bool) {
	each(value, func(field protowire.Number, number uint64, body []byte) bool {
		switch field {
		case valueSimple:
			v, ok = float64(math.Float32frombits(uint32(number))), true
		case valueTensor:
			v, ok = scalarTensor(body)
		}
		return true
	})
	return v, ok
}

// scalarTensor is the number in a TensorProto of one float32, which holds it as bytes or as a list of one.
func scalarTensor(b []byte) (v float64, ok bool) {
	var kind uint64
	var bits []byte
	axes := false
	each(b, func(field protowire.Number, number uint64, body []byte) bool {
		switch field {
		case tensorType:
			kind = number
		case tensorShape:
			axes = len(body) > 0
		case tensorContent:
			bits = body
		case tensorFloats:
			if bits = body; body == nil { // not packed
				bits = binary.LittleEndian.AppendUint32(nil, uint32(number))
			}
		}
		return true
	})
	if kind != typeFloat || axes || len(bits) != 4 {
		return 0, false
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(bits))), true
}
