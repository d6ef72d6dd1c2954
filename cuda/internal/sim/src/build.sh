#!/bin/sh
# build.sh FOLDER: compiles the simulated libraries into FOLDER, unless it holds those of these very sources. CXX: g++ by default.
set -eu
out=$1
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")"
cxx=${CXX:-g++}
stamp=$( (cat ./*.cpp ./*.h ./*.cuh build.sh && "$cxx" -dumpfullversion) | cksum)
if [ "$(cat "$out/stamp" 2>/dev/null || true)" = "$stamp" ]; then exit 0; fi

tmp=$(mktemp -d "$out/build-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
# library SONAME SOURCE…
library() {
	name=$1
	shift
	"$cxx" -std=c++17 -O2 -ftree-vectorize -g1 -fPIC -shared -fvisibility=hidden -U_FORTIFY_SOURCE -Wall -Wextra -Wno-unused-parameter -I. \
		-Wl,-soname,"$name" -Wl,-rpath,'$ORIGIN' -o "$tmp/$name" -L"$tmp" "$@" -pthread -ldl
}
library libcuda.so.1 context.cpp device.cpp errors.cpp memory.cpp stream.cpp event.cpp graph.cpp module.cpp block.cpp fiber.cpp order.cpp race.cpp shadow.cpp
library libnvrtc.so.12 nvrtc.cpp
library libcublasLt.so.12 cublaslt.cpp cublaslt_product.cpp -l:libcuda.so.1
library libcudnn.so.9 cudnn.cpp cudnn_graph.cpp cudnn_run.cpp -l:libcuda.so.1
library libnvidia-ml.so.1 nvml.cpp -l:libcuda.so.1
for part in graph ops cnn adv heuristic engines_precompiled engines_runtime_compiled; do
	: >"$tmp/libcudnn_$part.so.9" # cuDNN is loaded only from a folder that has all of it
done
for f in "$tmp"/lib*; do mv -f "$f" "$out/"; done
echo "$stamp" >"$tmp/stamp"
mv -f "$tmp/stamp" "$out/stamp"
