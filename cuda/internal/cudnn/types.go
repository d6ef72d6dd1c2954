package cudnn

// Constants of cudnn_graph.h that problems are posed with.

// Types of elements.
const (
	dataFloat    = 0  // CUDNN_DATA_FLOAT
	dataDouble   = 1  // CUDNN_DATA_DOUBLE
	dataBFloat16 = 9  // CUDNN_DATA_BFLOAT16
	dataBoolean  = 11 // CUDNN_DATA_BOOLEAN
)

// Notes about the arithmetic of an engine, by their values.
const (
	noteTensorCore       = 0 // CUDNN_NUMERICAL_NOTE_TENSOR_CORE
	noteDownConvert      = 1 // CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS
	noteReducedReduction = 2 // CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION
	noteFFT              = 3 // CUDNN_NUMERICAL_NOTE_FFT
	noteNondeterministic = 4 // CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC
	noteWinograd         = 5 // CUDNN_NUMERICAL_NOTE_WINOGRAD
	noteWinograd6x6      = 7 // CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6
	noteWinograd13x13    = 8 // CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13
)

var noteNames = []string{"tensor cores", "inputs rounded", "sums rounded", "FFT", "not deterministic", "Winograd", "Winograd 4x4", "Winograd 6x6", "Winograd 13x13", "strict NaN"}
