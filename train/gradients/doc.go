// Package gradients trains a plain and a residual network of the same depth side by side, on the same batches, and shows how
// long the gradient of each layer is and what becomes of the losses: the experiment behind He et al., "Deep Residual
// Learning for Image Recognition" (2015), and, without normalization, the vanishing gradients that Hochreiter (1991) and Glorot and Bengio
// (2010) describe. Command "stheno gradients" runs it.
package gradients
