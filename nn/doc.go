// Package nn describes neural networks layer by layer and builds them as Gorgonia expression graphs.
//
// A [Builder] collects layers, which are plain structs whose zero values mean Keras's defaults, and checks every shape
// while the model is described. The finished [Model] keeps the layer graph and owns the weights. [Model.Build] makes
// the nodes of a Gorgonia graph from it, for any batch size, for training or inference, as often as wanted; all these
// graphs share the weights' memory.
//
//	b := nn.NewBuilder("model")
//	x := b.Input(nn.Shape{32, 32, 3})
//	y := b.Add(nn.Conv2D{Filters: 16, Kernel: nn.K(3), Activation: nn.ReLU}, x)
//	y = b.Add(nn.Flatten{}, y)
//	y = b.Add(nn.Dense{Units: 10, Activation: nn.Softmax}, y)
//	m, err := b.Model(x, y)                   // the first mistake above, with its file and line
//	err = m.Initialize(1, tensor.Float32)
//	net, err := m.Build(g, nn.BuildConfig{Batch: 32, Training: true})
//
// [Builder.Functional] makes models of several inputs and outputs, and a model is a layer of others. [Builder.Share] makes layers that
// several places apply with the same weights.
//
// A training program then adds the loss and, with [Net.Cost], the penalties; takes the gradients of [Net.Trainable]; hands
// [Net.Updates] to its machine beside the optimizer's updates, or the running averages of batch normalization stay where
// they are; and sets [Net.Step] before every step where the model has dropout. The example of Net.Cost shows all of it.
//
// Layers are called like Keras's classes. Where a function has the name already ([ReLU], [LeakyReLU], [ELU], [Softmax], for the
// Activation field of layers and the layer [Activation]), or an initializer ([Identity]), the layer with arguments has Layer
// behind it: [ReLULayer]. Its class in summaries and its automatic name are Keras's.
//
// Keras (tf.keras 2.x) is the yardstick of meaning: names, defaults, initializers, what is trainable, and the text of
// the summary. Where this package differs, the documentation of the thing says so.
package nn
