#!/usr/bin/env bash
# Puts cuda.h of CUDA 12 into a folder: cuda-header.sh FOLDER. Takes the one of an installed toolkit ($CUDA_HOME, $CUDA_PATH,
# /usr/local/cuda, /usr), else that of the Python package nvidia-cuda-runtime-cu12. Nothing else of a toolkit is needed.
set -euo pipefail
folder=$1

# The package that is taken where no toolkit is installed, and the digests of its wheels for x86-64 and for arm64.
package='nvidia-cuda-runtime-cu12==12.9.79'
digests='--hash=sha256:25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3
	--hash=sha256:83469a846206f2a733db0c42e223589ab62fd2fabac4432d2f8802de4bded0a4'

tried=()
install() { # HEADER [ORIGIN]: copies it, if it is of a version that gorgonia.org/cu compiles with
	local version
	version=$(sed -n 's/^#define CUDA_VERSION[[:space:]]*\([0-9]*\).*/\1/p' "$1" | head -n 1)
	if [ "${version:-0}" -lt 12000 ] || [ "$version" -ge 13000 ]; then
		tried+=("$1: CUDA version ${version:-unknown}, want 12000 to 12999")
		return 1
	fi
	if ! cmp -s "$1" "$folder/cuda.h"; then # an equal one keeps its time
		mkdir -p "$folder"
		cp "$1" "$folder/cuda.h"
		echo "cuda-header.sh: taking cuda.h of CUDA $((version / 1000)).$((version % 1000 / 10)) from ${2:-$1}" >&2
	fi
	exit 0
}

for root in "${CUDA_HOME:-}" "${CUDA_PATH:-}" /usr/local/cuda /usr; do
	[ -n "$root" ] || continue
	for header in "$root/include/cuda.h" "$root/targets/x86_64-linux/include/cuda.h" "$root/targets/sbsa-linux/include/cuda.h"; do
		if [ -f "$header" ]; then install "$header" || true; else [ "${header#"$root"/}" != include/cuda.h ] || tried+=("$header: no such file"); fi
	done
done
if [ -f "$folder/cuda.h" ]; then install "$folder/cuda.h" || true; fi # of an earlier download

echo "cuda-header.sh: no CUDA 12 toolkit is installed; downloading the Python package $package for its cuda.h" >&2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '%s %s\n' "$package" "$(echo "$digests" | tr '\n' ' ')" >"$scratch/requirements.txt"
if command -v python3 >/dev/null && python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
	--require-hashes --dest "$scratch" --requirement "$scratch/requirements.txt" >"$scratch/log" 2>&1; then
	python3 -m zipfile -e "$scratch"/*.whl "$scratch/wheel"
	install "$scratch/wheel/nvidia/cuda_runtime/include/cuda.h" "the Python package $package" || true
else
	tried+=("Python package $package: $(command -v python3 >/dev/null && tail -n 1 "$scratch/log" || echo 'python3 is not installed')")
fi

{
	echo "cuda-header.sh: no cuda.h of CUDA 12 was found; tried:"
	printf '  %s\n' "${tried[@]}"
	echo "Install a CUDA 12 toolkit and set CUDA_HOME to its folder, or make pip able to download $package."
	echo "gorgonia.org/cu does not compile with the headers of CUDA 13; programs built with those of CUDA 12 run on its drivers."
} >&2
exit 1
