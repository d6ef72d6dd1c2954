package onnx

// modelProto and the types below are what this package uses of ONNX's messages, under their names in the format.
type modelProto struct {
	irVersion                     int64
	producerName, producerVersion string
	domain, docString             string
	opsets                        []opsetProto
	graph                         *graphProto
	metadata                      []entryProto
	functions                     int // number of function definitions, which are not supported
}

type opsetProto struct {
	domain  string
	version int64
}

type entryProto struct{ key, value string }

type graphProto struct {
	name            string
	nodes           []*nodeProto
	initializers    []*tensorProto
	inputs, outputs []valueInfo
	values          []valueInfo
	sparse          int // number of sparse initializers, which are not supported
	at              int64
}

type nodeProto struct {
	name, opType, domain string
	inputs, outputs      []string // "" stands for an optional one that is left out
	attributes           []*attributeProto
	captured             []string // inputs, and values around it that graphs in attributes use; nil where there are none of these
	at                   int64    // where in the file it begins
}

type attributeProto struct {
	name, reference string
	kind            attributeKind
	f               float32
	i               int64
	s               []byte
	t               *tensorProto
	g               *graphProto
	floats          []float32
	ints            []int64
	strings         [][]byte
}

type attributeKind int64

const (
	attributeFloat   attributeKind = 1
	attributeInt     attributeKind = 2
	attributeString  attributeKind = 3
	attributeTensor  attributeKind = 4
	attributeGraph   attributeKind = 5
	attributeFloats  attributeKind = 6
	attributeInts    attributeKind = 7
	attributeStrings attributeKind = 8
)

func (k attributeKind) String() string {
	switch k {
	case attributeFloat:
		return "a float"
	case attributeInt:
		return "an integer"
	case attributeString:
		return "a string"
	case attributeTensor:
		return "a tensor"
	case attributeGraph:
		return "a graph"
	case attributeFloats:
		return "floats"
	case attributeInts:
		return "integers"
	case attributeStrings:
		return "strings"
	}
	return "something that is not supported"
}

// valueInfo is the declared type of an input, an output or another value.
type valueInfo struct {
	name string
	elem elemType // 0 when the type is no tensor
	dims []dimension
	// ranked says whether there is a shape at all: no dims may mean a scalar or an unknown shape.
	ranked bool
}

// dimension is a size, or a name for a size that is not fixed; both are empty for an unknown one.
type dimension struct {
	size  int64
	param string
	fixed bool
}

// tensorProto is a tensor as it stands in the file; array makes numbers of it.
type tensorProto struct {
	name        string
	dims        []int64
	elem        elemType
	raw         []byte // part of the file's bytes, little endian
	hasRaw      bool
	floatData   []float32
	int32Data   []int64
	int64Data   []int64
	uint64Data  []int64
	doubleData  []float64
	stringData  int
	external    []entryProto
	isExternal  bool
	hasSegment  bool
	at          int64
	limits      *limits
	decoded     *array
	decodedFail error
}
