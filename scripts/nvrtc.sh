#!/usr/bin/env bash
# Prints the folder of an NVRTC, with which "make gpu-compile" compiles every kernel for real GPUs: what STHENO_NVRTC_PATH names, else
# that of a Python package, downloaded into .build. It needs no GPU.
set -euo pipefail
if [ -n "${STHENO_NVRTC_PATH:-}" ]; then
	echo "$STHENO_NVRTC_PATH"
	exit 0
fi
package=nvidia-cuda-nvrtc-cu12==12.9.86
digest=--hash=sha256:210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4
folder=$(cd "$(dirname "$0")/.." && pwd)/.build/nvrtc
libraries=$folder/nvidia/cuda_nvrtc/lib
if [ ! -f "$libraries/libnvrtc.so.12" ]; then
	echo "nvrtc.sh: downloading the Python package $package (90 MB)" >&2
	scratch=$(mktemp -d)
	trap 'rm -rf "$scratch"' EXIT
	printf '%s %s\n' "$package" "$digest" >"$scratch/requirements.txt"
	if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
		--dest "$scratch" --requirement "$scratch/requirements.txt" >"$scratch/log" 2>&1; then
		tail -n 3 "$scratch/log" >&2
		echo "nvrtc.sh: no NVRTC; install a CUDA toolkit and set STHENO_NVRTC_PATH to its lib64, or make pip able to download $package" >&2
		exit 1
	fi
	python3 -m zipfile -e "$scratch"/*.whl "$scratch/wheel"
	mkdir -p "$(dirname "$folder")"
	rm -rf "$folder"
	mv "$scratch/wheel" "$folder"
fi
echo "$libraries"
