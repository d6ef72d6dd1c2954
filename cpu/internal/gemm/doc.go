// Package gemm multiplies single-precision matrices.
//
// A product is described by [Args] and computed by [Gemm.Run] on the workers of
// a pool with the memory of a [Workspace]. A factor may be a [Source], which
// copies blocks of a matrix that exists only implicitly: convolution runs through
// it without materialising im2col. For NHWC images X, filters W stored
// (KH·KW·Cin)×Cout and gradients dY of (N·OH·OW)×Cout, with P the Source of the
// (N·OH·OW)×(KH·KW·Cin) patch matrix:
//
//	forward      Y  = P · W         A = {Source: P},               B = {Data: W}
//	weights      dW = Pᵀ · dY       A = {Source: P, Trans: true},  B = {Data: dY}
//	input (1×1)  dX = dY · Wᵀ       A = {Data: dY},                B = {Data: W, Trans: true}
package gemm
