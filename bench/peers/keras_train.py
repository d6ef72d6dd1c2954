"""Times training steps of the project's nets in Keras 3 on TensorFlow, on the CPU.

    python keras_train.py --threads 2 [--seconds 10]

The same work as torch_train.py: forward, backward, SGD with momentum, fixed random images; each step one compiled function.
Convolutions run on oneDNN, TensorFlow's CPU library.
"""
import argparse
import os
import statistics
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import tensorflow as tf
from keras import layers


def simplecnn():
    return keras.Sequential([
        keras.Input((32, 32, 3)), layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten(),
        layers.Dense(256, activation="relu"), layers.Dense(100)])


def vgg16():
    net = [keras.Input((32, 32, 3))]
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        net += [layers.Conv2D(width, 3, padding="same", activation="relu") for _ in range(depth)]
        net.append(layers.MaxPooling2D())
    return keras.Sequential(net + [layers.Flatten(), layers.Dense(4096, activation="relu"),
                                   layers.Dense(4096, activation="relu"), layers.Dense(100)])


def block(x, width, stride, project):
    side = x
    for kernel, filters, step in ((1, width, 1), (3, width, stride), (1, 4 * width, 1)):
        x = layers.Conv2D(filters, kernel, step, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        if filters != 4 * width or kernel == 3:
            x = layers.ReLU()(x)
    if project:
        side = layers.Conv2D(4 * width, 1, stride, use_bias=False)(side)
        side = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(side)
    return layers.ReLU()(layers.Add()([x, side]))


def resnet50():
    images = x = keras.Input((32, 32, 3))
    x = layers.Conv2D(64, 7, 2, use_bias=False)(layers.ZeroPadding2D(3)(x))
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x))
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for width, depth, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(depth):
            x = block(x, width, stride if i == 0 else 1, i == 0)
    return keras.Model(images, layers.Dense(100)(layers.GlobalAveragePooling2D()(x)))


def measure(net, batch, seconds, rounds=5):
    keras.utils.set_random_seed(1)
    x, y = tf.random.uniform((batch, 32, 32, 3)), tf.random.uniform((batch,), maxval=100, dtype=tf.int32)
    optimizer = keras.optimizers.SGD(1e-4, 0.9)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss(y, net(x, training=True))
        optimizer.apply_gradients(zip(tape.gradient(value, net.trainable_variables), net.trainable_variables))
        return value

    for _ in range(3):
        step().numpy()
    rates = []
    for _ in range(rounds):
        begin, steps = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds / rounds:
            step().numpy()
            steps += 1
        rates.append(steps * batch / (time.perf_counter() - begin))
    return statistics.median(rates)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seconds", type=float, default=10)
    a = p.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(a.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for name, make, batch in (("simplecnn", simplecnn, 64), ("vgg16", vgg16, 32), ("resnet50", resnet50, 32)):
        rate = measure(make(), batch, a.seconds)
        print(f"keras {keras.__version__} tensorflow {tf.__version__} {name} batch={batch} threads={a.threads} {rate:.0f} images/s",
              flush=True)


main()
