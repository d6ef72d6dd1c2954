package nn

import "testing"

func TestGoldenPooling(t *testing.T) {
	goldenLayers(t, "layers_pool", map[string]Layer{
		"max1d":                           MaxPooling1D{},
		"max1d_same":                      MaxPooling1D{Pool: 3, Strides: 2, Padding: Same},
		"max1d_first":                     MaxPooling1D{Pool: 3, Strides: 1},
		"average1d":                       AveragePooling1D{},
		"average1d_same":                  AveragePooling1D{Pool: 3, Strides: 2, Padding: Same},
		"average1d_first":                 AveragePooling1D{Pool: 3, Strides: 1, Padding: Same},
		"global_max1d":                    GlobalMaxPooling1D{},
		"global_max1d_keepdims":           GlobalMaxPooling1D{KeepDims: true},
		"global_max2d":                    GlobalMaxPooling2D{},
		"global_max2d_ties":               GlobalMaxPooling2D{},
		"global_max2d_keepdims_first":     GlobalMaxPooling2D{KeepDims: true},
		"global_average1d":                GlobalAveragePooling1D{},
		"global_average1d_keepdims":       GlobalAveragePooling1D{KeepDims: true},
		"global_average2d_keepdims":       GlobalAveragePooling2D{KeepDims: true},
		"global_average2d_keepdims_first": GlobalAveragePooling2D{KeepDims: true},
	})
}

func TestGoldenBorders(t *testing.T) {
	goldenLayers(t, "layers_border", map[string]Layer{
		"pad1d":              ZeroPadding1D{},
		"pad1d_uneven_first": ZeroPadding1D{Padding: [2]int{0, 2}},
		"pad2d_uneven":       ZeroPadding2D{Padding: [2][2]int{{0, 1}, {2, 0}}},
		"pad2d_first":        ZeroPadding2D{Padding: [2][2]int{{1, 1}, {2, 2}}},
		"crop1d":             Cropping1D{},
		"crop1d_uneven":      Cropping1D{Cropping: [2]int{0, 2}},
		"crop2d_none":        Cropping2D{},
		"crop2d_uneven":      Cropping2D{Cropping: [2][2]int{{0, 1}, {2, 3}}},
		"crop2d_first":       Cropping2D{Cropping: [2][2]int{{2, 2}, {1, 1}}},
	})
}

func TestGoldenUpSampling(t *testing.T) {
	goldenLayers(t, "layers_upsampling", map[string]Layer{
		"nearest1d":        UpSampling1D{},
		"nearest1d_times3": UpSampling1D{Size: 3},
		"nearest2d":        UpSampling2D{},
		"nearest2d_uneven": UpSampling2D{Size: [2]int{3, 1}},
		"nearest2d_first":  UpSampling2D{Size: [2]int{1, 4}},
		"bilinear":         UpSampling2D{Interpolation: Bilinear},
		"bilinear_uneven":  UpSampling2D{Size: [2]int{3, 4}, Interpolation: Bilinear},
		"bilinear_one_row": UpSampling2D{Size: [2]int{2, 5}, Interpolation: Bilinear},
		"bilinear_first":   UpSampling2D{Interpolation: Bilinear},
		"repeat_vector":    RepeatVector{Times: 4},
	})
}
