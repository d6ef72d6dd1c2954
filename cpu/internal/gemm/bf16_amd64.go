//go:build amd64 && !purego

package gemm

func nativeBF16() *kernels[float32] { return &avx512BF16 }

var avx512BF16 = kernels[float32]{
	mr: 12, nr: 32, lane: 16, fence: fence,
	round: &rounding[float32]{rows: roundRows, columns: roundColumns},
	tiles: [2][][]kernel[float32]{
		{
			{nil, kernelBF16rh1w16, kernelBF16rh2w16, kernelBF16rh3w16, kernelBF16rh4w16, kernelBF16rh5w16, kernelBF16rh6w16, kernelBF16rh7w16, kernelBF16rh8w16, kernelBF16rh9w16, kernelBF16rh10w16, kernelBF16rh11w16, kernelBF16rh12w16},
			{nil, kernelBF16rh1w32, kernelBF16rh2w32, kernelBF16rh3w32, kernelBF16rh4w32, kernelBF16rh5w32, kernelBF16rh6w32, kernelBF16rh7w32, kernelBF16rh8w32, kernelBF16rh9w32, kernelBF16rh10w32, kernelBF16rh11w32, kernelBF16rh12w32},
		},
		{
			{nil, kernelBF16dh1w16, kernelBF16dh2w16, kernelBF16dh3w16, kernelBF16dh4w16, kernelBF16dh5w16, kernelBF16dh6w16, kernelBF16dh7w16, kernelBF16dh8w16, kernelBF16dh9w16, kernelBF16dh10w16, kernelBF16dh11w16, kernelBF16dh12w16},
			{nil, kernelBF16dh1w32, kernelBF16dh2w32, kernelBF16dh3w32, kernelBF16dh4w32, kernelBF16dh5w32, kernelBF16dh6w32, kernelBF16dh7w32, kernelBF16dh8w32, kernelBF16dh9w32, kernelBF16dh10w32, kernelBF16dh11w32, kernelBF16dh12w32},
		},
	},
}

func roundRows(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	_ = dst[span(rows, ceil(cols, 2), ldd)-1]
	_ = src[span(rows, cols, lds)-1]
	roundRowsBF16(&dst[0], 4*uintptr(ldd), &src[0], 4*uintptr(lds), uintptr(rows), uintptr(cols/32), 1<<(cols%32)-1)
}

func roundColumns(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	_ = dst[span(ceil(rows, 2), cols, ldd)-1]
	_ = src[span(rows, cols, lds)-1]
	foldRowsBF16(&dst[0], 4*uintptr(ldd), &src[0], 4*uintptr(lds), uintptr(rows/2), uintptr(rows%2), 4*uintptr(packRows*lds),
		uintptr(cols/32), 1<<(cols%32)-1)
}
