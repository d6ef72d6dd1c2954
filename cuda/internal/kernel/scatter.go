package kernel

import "gorgonia.org/tensor"

// ParcelEntries is how many things a parcel of scatter.cu has at most; EntryBytes is what each takes at its beginning: three words of
// 64 bits, which say where it goes, where it lies in the parcel, and its bytes.
const (
	ParcelEntries = 64
	EntryBytes    = 24
)

// Scatter brings what is in a parcel to its places.
func Scatter(parcel Address) Resolved {
	return Resolved{Source: File("scatter.cu", tensor.Float32), Name: "scatter", Grid: Dim3{X: ParcelEntries}, Block: Dim3{X: threads}, Args: []any{parcel}}
}
