#!/bin/sh
# Makes all golden files again. Give the Pythons of the two environments that README.md describes:
#   scripts/golden/update.sh .../ref/bin/python .../ref-tf25/bin/python
set -eu
ref=${1:?the Python with TensorFlow 2.12 and PyTorch 1.12}
old=${2:?the Python with TensorFlow 2.5}
cd "$(dirname "$0")"
for script in make_fill make_conv make_pool make_layers make_optimizers make_initializers make_nets; do
    echo "== $script"
    "$ref" $script.py
done
echo "== make_summaries"
"$old" make_summaries.py
