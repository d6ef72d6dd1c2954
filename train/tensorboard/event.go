package tensorboard

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/png"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The data of a record is a message Event of Protocol Buffers. Its messages are few, so they are put together by hand, on protowire;
// the numbers are those of the fields in the files event.proto, summary.proto, tensor.proto and types.proto that TensorBoard reads by.
const (
	eventWallTime       = 1 // double: seconds since 1970
	eventStep           = 2
	eventFileVersion    = 3 // of the first event: "brain.Event:2"
	eventSummary        = 5
	eventSessionLog     = 7
	eventSourceMetadata = 10

	summaryValue = 1 // repeated

	valueTag      = 1
	valueSimple   = 2 // float
	valueTensor   = 8
	valueMetadata = 9

	metadataPlugin = 1
	pluginName     = 1

	sessionStatus = 1
	sessionStart  = 1 // a value of it

	sourceWriter = 1

	tensorType    = 1
	tensorShape   = 2
	tensorContent = 4
	tensorFloats  = 5 // repeated
	tensorStrings = 8 // repeated

	shapeDim = 2 // repeated
	dimSize  = 1

	typeFloat, typeDouble, typeString = 1, 2, 7
)

const fileVersion = "brain.Event:2"

// TensorBoard's plugins, by which it knows how to show a value.
const (
	scalars    = "scalars"
	histograms = "histograms"
	texts      = "text"
	images     = "images"
)

func appendNumber(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func appendText(b []byte, field protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// event is the message of a step; what it tells is appended to it.
func event(now time.Time, step int64) []byte {
	b := protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(float64(now.UnixMicro())/1e6))
	if step != 0 {
		b = appendNumber(b, eventStep, uint64(step))
	}
	return b
}

// firstEvent begins every file.
func firstEvent(now time.Time) []byte {
	b := appendText(event(now, 0), eventFileVersion, fileVersion)
	return appendBytes(b, eventSourceMetadata, appendText(nil, sourceWriter, "github.com/stheno-ml/stheno/train/tensorboard"))
}

// startEvent says that what was told before of this step and of later ones is not valid any more, and at the beginning of a run that it
// begins.
func startEvent(now time.Time, step int64) []byte {
	return appendBytes(event(now, step), eventSessionLog, appendNumber(nil, sessionStatus, sessionStart))
}

// summaryEvent tells the value of a tag, a message TensorProto.
func summaryEvent(now time.Time, step int64, tag, plugin string, tensor []byte) []byte {
	metadata := appendBytes(nil, metadataPlugin, appendText(nil, pluginName, plugin))
	value := appendText(nil, valueTag, tag)
	value = appendBytes(value, valueTensor, tensor)
	value = appendBytes(value, valueMetadata, metadata)
	return appendBytes(event(now, step), eventSummary, appendBytes(nil, summaryValue, value))
}

// tensor begins a TensorProto.
func tensor(kind uint64, dims ...int) []byte {
	var shape []byte
	for _, d := range dims {
		shape = appendBytes(shape, shapeDim, appendNumber(nil, dimSize, uint64(d)))
	}
	return appendBytes(appendNumber(nil, tensorType, kind), tensorShape, shape)
}

func floatTensor(v float32) []byte {
	return appendBytes(tensor(typeFloat), tensorContent, binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
}

// doubleTensor is of rows of three.
func doubleTensor(rows [][3]float64) []byte {
	content := make([]byte, 0, 24*len(rows))
	for _, row := range rows {
		for _, v := range row {
			content = binary.LittleEndian.AppendUint64(content, math.Float64bits(v))
		}
	}
	return appendBytes(tensor(typeDouble, len(rows), 3), tensorContent, content)
}

// stringTensor is a scalar where list is false.
func stringTensor(list bool, texts ...[]byte) []byte {
	b := tensor(typeString)
	if list {
		b = tensor(typeString, len(texts))
	}
	for _, s := range texts {
		b = appendBytes(b, tensorStrings, s)
	}
	return b
}

// imageTensor is the width, the height and the PNG of an image.
func imageTensor(m image.Image) ([]byte, error) {
	var file bytes.Buffer
	if err := png.Encode(&file, m); err != nil {
		return nil, err
	}
	size := m.Bounds().Size()
	return stringTensor(true, []byte(strconv.Itoa(size.X)), []byte(strconv.Itoa(size.Y)), file.Bytes()), nil
}

// told is what an event tells.
type told struct {
	step    int64
	started bool // the run did
	values  []value
}

// value is a message Summary.Value.
type value struct {
	tag     string
	message []byte
}

// readEvent takes an event apart; ok is false if it is none.
func readEvent(data []byte) (e told, ok bool) {
	ok = each(data, func(field protowire.Number, number uint64, body []byte) bool {
		switch field {
		case eventStep:
			e.step = int64(number)
		case eventSessionLog:
			return each(body, func(field protowire.Number, number uint64, _ []byte) bool {
				e.started = e.started || field == sessionStatus && number == sessionStart
				return true
			})
		case eventSummary:
			return each(body, func(field protowire.Number, _ uint64, message []byte) bool {
				if field != summaryValue {
					return true
				}
				v := value{message: message}
				ok := each(message, func(field protowire.Number, _ uint64, tag []byte) bool {
					if field == valueTag {
						v.tag = string(tag)
					}
					return true
				})
				e.values = append(e.values, v)
				return ok
			})
		}
		return true
	})
	return e, ok
}

// each hands the fields of a message to visit, numbers and the bits of floats as number, and says whether it is one and visit was content.
func each(b []byte, visit func(field protowire.Number, number uint64, body []byte) bool) bool {
	for len(b) > 0 {
		field, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		var number uint64
		var body []byte
		switch typ {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			body, n = protowire.ConsumeBytes(b)
		case protowire.Fixed32Type:
			var bits uint32
			bits, n = protowire.ConsumeFixed32(b)
			number = uint64(bits)
		default:
			n = protowire.ConsumeFieldValue(field, typ, b)
		}
		if n < 0 || !visit(field, number, body) {
			return false
		}
		b = b[n:]
	}
	return true
}
