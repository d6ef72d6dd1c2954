// Package keras reads what Keras saves: whole models and weights in HDF5 files (.h5, .hdf5), weights of Keras 3
// (.weights.h5) and its archives (.keras).
//
//	f, err := keras.Open("resnet8.h5")
//	m, err := f.Model()   // the architecture, with the file's weights
//
// [Open] gives the tensors under Keras's names, and the model's configuration where the file has one. [Model] makes an
// [nn.Model] of a configuration as Keras 2 and Keras 3 write it: Sequential and Functional models, of several inputs and
// outputs too, nested ones among them, with layers in several places, of the layers that [Classes] lists. [File.Assign] puts the weights into a model that was
// described otherwise.
//
// What a file asks for and this library does not do is an [*Error] that names the layer, its class, and the option.
// Nothing is left out silently, save what does not change a result: seeds, the precision policy (all is computed in the type
// of the weights), and the state of optimizers and metrics. Files are taken to be hostile: see package hdf5; archives are
// bounded before they are unpacked, nothing of them is written to disk, and no code of a model (Lambda layers, custom
// classes) is ever run.
package keras
