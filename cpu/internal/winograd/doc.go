// Package winograd has the transforms of Winograd's convolution F(4×4, 3×3): 3×3 windows with stride 1, computed tile by
// tile of 4×4 outputs with 36 multiplications a channel and filter instead of 144. See Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks" (2015).
//
// For a tile d of 6×6 pixels, a filter g of 3×3 taps and 4×4 outputs y
//
//	y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A
//
// where ⊙ multiplies point by point and sums over the channels. So each of the 36 points is a matrix product of its own:
// tiles × channels by channels × filters. The caller does those, see package gemm's Direct:
//
//	[Ops.Input]   Bᵀ d B    pixels of images        → 36 matrices of tiles × channels
//	[Ops.Filter]  G g Gᵀ    taps                    → 36 matrices of channels × filters, packed
//	[Ops.Output]  Aᵀ m A    36 matrices of products → pixels of the result, with bias, residual and ReLU
//
// Point 6i+j is the product of interpolation points i down and j across, in the order 0, a, -a, b, -b, ∞.
//
// # The points
//
// The usual points 0, ±1, ±2, ∞ lose 3.2 bits: at 256 channels the largest error is 1.9 times the tolerance for sums of
// products. a = 11/16 and b = 3/2 more than halve the error, to 0.4 times the tolerance, because the matrices' elements lie
// closer together; both and their powers are exact in float32. They were found by trying multiples of 1/32; see the
// rationale. The exact rational result is the same for any points.
//
// NaN and infinite numbers spread: of one among the inner 4×4 pixels of a tile all 16 outputs are NaN, of one in the first or last
// row or column the outputs in that row or column. They reach every output whose window sees them, but others of the tile, too.
// Numbers of more than about 10³⁷ may overflow in a transform. Nothing outside an image is read.
package winograd
