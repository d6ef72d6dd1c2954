"""The three nets of the founding document as Keras models that end in logits (or in softmax, for summaries)."""


def simple_cnn(keras, softmax=False):
    """SimpleCNN on 32x32x3, 100 classes: layer names as Keras gives them in a fresh session."""
    layers = keras.layers
    inp = keras.Input(shape=(32, 32, 3))
    x = layers.Conv2D(16, 3, activation="relu", name="conv2d")(inp)
    x = layers.MaxPool2D((2, 2), name="max_pooling2d")(x)
    x = layers.Conv2D(32, 3, activation="relu", name="conv2d_1")(x)
    x = layers.MaxPool2D((2, 2), name="max_pooling2d_1")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(256, activation="relu", name="dense")(x)
    x = layers.Dense(100, activation="softmax" if softmax else None, name="dense_1")(x)
    return keras.Model(inp, x)


VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def vgg16(keras, softmax=False):
    """VGG-16 on 32x32x3, 100 classes, head 4096-4096."""
    layers = keras.layers
    inp = keras.Input(shape=(32, 32, 3))
    x = inp
    for b, (filters, convs) in enumerate(VGG16, 1):
        for c in range(1, convs + 1):
            x = layers.Conv2D(filters, 3, activation="relu", padding="same", name="block%d_conv%d" % (b, c))(x)
        x = layers.MaxPooling2D(2, strides=2, name="block%d_pool" % b)(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(4096, activation="relu", name="fc1")(x)
    x = layers.Dense(4096, activation="relu", name="fc2")(x)
    x = layers.Dense(100, activation="softmax" if softmax else None, name="predictions")(x)
    return keras.Model(inp, x, name="VGG-16")


STAGES = ((2, 64, 3), (3, 128, 4), (4, 256, 6), (5, 512, 3))


def resnet50(keras, softmax=False, l2=None, blocks=STAGES):
    """The document's resnet50, 100 classes. Layers without a name get Keras's automatic one, so that summaries agree;
    l2 only decides whether the layers carry the regularizer."""
    layers = keras.layers
    reg = lambda: keras.regularizers.l2(l2) if l2 else None

    def conv(x, filters, kernel, name, **more):
        return layers.Conv2D(filters, kernel, use_bias=False, kernel_initializer="he_normal",
                             kernel_regularizer=reg(), name=name, **more)(x)

    def bn(x, name):
        return layers.BatchNormalization(axis=3, momentum=0.9, epsilon=1e-5, name=name)(x)

    def block(x, f, stage, letter, strides, project):
        tag = "%d%s_branch" % (stage, letter)
        y = conv(x, f, 1, "res" + tag + "2a")
        y = layers.Activation("relu")(bn(y, "bn" + tag + "2a"))
        y = conv(y, f, 3, "res" + tag + "2b", strides=strides, padding="same")
        y = layers.Activation("relu")(bn(y, "bn" + tag + "2b"))
        y = bn(conv(y, 4 * f, 1, "res" + tag + "2c"), "bn" + tag + "2c")
        if project:
            x = bn(conv(x, 4 * f, 1, "res" + tag + "1", strides=strides), "bn" + tag + "1")
        return layers.Activation("relu")(layers.add([y, x]))

    inp = keras.Input(shape=(32, 32, 3))
    x = layers.ZeroPadding2D(3, name="conv1_pad")(inp)
    x = conv(x, 64, 7, "conv1", strides=2, padding="valid")
    x = layers.Activation("relu")(bn(x, "bn_conv1"))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for stage, f, n in blocks:
        for i in range(n):
            strides = 2 if i == 0 and stage > 2 else 1
            x = block(x, f, stage, "abcdef"[i], strides, i == 0)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(100, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
                     kernel_regularizer=reg(), bias_regularizer=reg(), name="fc1000")(x)
    if softmax:
        x = layers.Activation("softmax", dtype="float32")(x)
    return keras.Model(inp, x, name="resnet50")
