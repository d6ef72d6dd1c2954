#!/usr/bin/env bash
# Runs a command with what Go needs to compile the CUDA engine: gpu-env.sh go vet -tags gpu ./cuda/...
# Without a toolkit or a driver: see cuda-header.sh for the header and cuda/internal/driverlink for the archive. Both are kept in the
# folder $STHENO_GPU_OUT, by default .build/cuda in this clone.
set -euo pipefail
case ${1:-} in -h | --help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" && exit ;; esac
if [ $# -eq 0 ]; then
	echo 'gpu-env.sh: no command; it runs one with what Go needs to compile the CUDA engine: gpu-env.sh go build -tags gpu ./...' >&2
	exit 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
out=${STHENO_GPU_OUT:-$root/.build/cuda}
CC=${CC:-cc}

if ! mkdir -p "$out" || [ ! -w "$out" ]; then
	echo "gpu-env.sh: $out cannot be written; name another folder with STHENO_GPU_OUT" >&2
	exit 1
fi
out=$(cd "$out" && pwd) # Go runs the compiler in folders of its own
exec 9>"$out/lock"
flock 9 # one at a time, released before the command runs
bash "$root/scripts/cuda-header.sh" "$out/include"

# Go's cache does not know about the header and the archive, so their digest is among the flags.
source=$root/cuda/internal/driverlink
digest=$(cat "$out/include/cuda.h" "$source/main.go" "$source/forward/forward.c" "$root/scripts/gpu-env.sh" | cksum | tr ' ' '-')
if [ ! -f "$out/libcuda.a" ] || [ "$(cat "$out/digest" 2>/dev/null)" != "$digest" ]; then
	echo "gpu-env.sh: making $out/libcuda.a, which stands in for the driver's library, of $out/include/cuda.h" >&2
	rm -f "$out/digest" "$out/libcuda.a"
	"$CC" -E -P "$out/include/cuda.h" >"$out/cuda.i"
	(cd "$root" && CGO_ENABLED=0 GOOS='' GOARCH='' ${GO:-go} run ./cuda/internal/driverlink) <"$out/cuda.i" >"$out/functions.inc"
	"$CC" -O2 -fPIC -Wall -Werror -I"$out" -c "$source/forward/forward.c" -o "$out/forward.o"
	ar rcs "$out/libcuda.a" "$out/forward.o"
	echo "$digest" >"$out/digest"
fi
exec 9>&-

# These come before the flags of gorgonia.org/cu, which name the folders of an installed toolkit.
export CGO_ENABLED=1
export CGO_CFLAGS="${CGO_CFLAGS:--O2 -g} -I$out/include -DSTHENO_DRIVERLINK=\"$digest\""
export CGO_LDFLAGS="-L$out ${CGO_LDFLAGS:-}"
exec "$@"
