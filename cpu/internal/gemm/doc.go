// Package gemm multiplies matrices of float32 and of float64.
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
//
// # How it is computed
//
// The blocking follows Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication" (2008), with these choices:
//
//   - The micro-kernel computes a tile of 12×32 (AVX-512), 6×16 (AVX2) or 4×8
//     (plain Go); of float64 12×16, 6×8 or 4×8. There is a kernel for every height, and the rows of a block are
//     dealt out evenly among its tiles, so no tile is much lower than the others.
//   - A is read where it lies whenever its rows are contiguous; a kernel walks up
//     to twelve rows at once and fetches the next tile's rows ahead. It is copied
//     when it is a Source or has rows a multiple of 4 KiB apart and sums are not gathered.
//   - B is packed into panels as wide as a tile: by all workers before the
//     product, or, when few rows of C use it, piece by piece by the worker that
//     needs it. A narrow B is read where it lies.
//   - When K needs several blocks, their sums are gathered apart from C, which is
//     written once; see gather.go.
//   - Lines of a large C are fetched before the sums that go there; a larger one
//     is written past the caches; see stream.go.
//   - A tile of few rows waits for B: its kernels fetch a packed B some KiB ahead,
//     and few rows of A are copied in one piece, however deep.
//   - With B transposed, Cᵀ is computed instead when that has less to transpose.
//   - A small C over a deep K (a convolution's weight gradient) is cut along K
//     into pieces that depend on the shape alone, added up in order.
//   - Where the rows of both factors lie along K, as in weight gradients, both are
//     read where they lie, and the micro-kernels fetch the rows of the next block
//     ahead; see deep.go.
//
// Parts of C are dealt out to workers as they come; each element is still summed
// in one order, so a result is the same bits on any number of threads. It differs
// between instruction sets, which group and round differently.
package gemm
