package ir

// BatchMatMul is op(a[i])·op(b[i]) for every i of the leading axes, which are equal. In: a (…, m, k), b (…, k, n), the last
// two axes of each swapped where it is transposed; out: y (…, m, n). Stock Gorgonia: linAlgBinOp with the batched operator.
type BatchMatMul struct{ TransA, TransB bool }
