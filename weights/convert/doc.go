// Package convert puts weights that other programs trained into a network of this module.
//
// [Open] reads a file of any kind that the packages beside this one know, by its content; [Match] finds out which of its
// tensors is which weight of an nn.Model, and [Plan.Apply] copies them, with axes in the order that Keras has them:
//
//   - a convolution's kernel (out, in, rows, columns) becomes (rows, columns, in, out);
//   - a dense layer's weight (out, in) becomes (in, out), and where the layer stands behind a Flatten of images, its inputs
//     are put from the order channels, rows, columns into rows, columns, channels;
//   - batch normalization's weight, bias, running_mean and running_var become gamma, beta, moving_mean and moving_variance.
//
// Tensors are matched by a list of names that the caller gives; by equal names; by PyTorch's names of the layers of known
// architectures; or by their order, where the network's layers follow each other in one row, so that there is only one
// order. All shapes must agree. What does not fit is listed tensor by tensor in a [*MismatchError], and nothing is changed.
package convert
