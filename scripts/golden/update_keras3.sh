#!/bin/sh
# Makes the golden files of Keras 3 and PyTorch 2 again. Give the Pythons of the two environments that README.md describes:
#   scripts/golden/update_keras3.sh .../keras3/bin/python .../torch2/bin/python
set -eu
keras=${1:?the Python with Keras 3, tf_keras and TensorFlow}
torch=${2:?the Python with PyTorch 2 and torchvision}
cd "$(dirname "$0")"
for script in make_activations make_applications make_attention make_early_stop make_fit make_functional make_initializers_keras3 make_layers_conv make_layers_more make_losses make_merges \
    make_metrics make_norms make_optimizers_keras make_regularizers make_resizing make_response_norm make_schedules "make_shared 2" "make_shared 3" make_tensorboard make_hdf5 make_keras \
    "make_keras --keras2" make_keras_zoo "make_summaries_nested 3" \
    "make_summaries_nested 2" "make_summaries_zoo 3" "make_summaries_zoo 2" make_zoo; do
    echo "== $script"
    set -- $script
    name=$1
    shift
    "$keras" "$name.py" "$@"
done
for script in make_primitives make_numpy make_convert make_schedules_torch make_torch "make_response_norm torch"; do
    echo "== $script"
    set -- $script
    name=$1
    shift
    "$torch" "$name.py" "$@"
done
