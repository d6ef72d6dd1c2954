#!/usr/bin/env bash
# Unpacks programs that "make gpu-bins" left in .build/gpu into a folder, for the other scripts: gpu-unpack.sh FOLDER NAME…
#
#   PROGRAMS=…    a folder in which they may be unpacked already: links to them do
set -uo pipefail
case ${1:-} in -h | --help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" && exit ;; esac
to=$1
shift
from=$(cd "$(dirname "$0")/.." && pwd)/.build/gpu

# unxz is xz, or what Python has of it.
unxz() {
	if command -v xz >/dev/null; then
		xz --decompress --stdout "$1"
	else
		"${PYTHON:-python3}" -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer, 1 << 20)' "$1"
	fi
}

pids=()
for name; do
	if [ -x "${PROGRAMS:-}/$name" ]; then
		[ "$PROGRAMS" = "$to" ] || ln -sf "$PROGRAMS/$name" "$to/$name" || exit
		continue
	fi
	(
		case $(compgen -G "$from/$name.*z") in
		*.gz) gzip --decompress --stdout "$from/$name.gz" ;;
		*.xz) unxz "$from/$name.xz" ;;
		*) false ;;
		esac >"$to/$name.part" 2>/dev/null && chmod +x "$to/$name.part" && mv "$to/$name.part" "$to/$name" || { rm -f "$to/$name.part"; echo "gpu-unpack: .build/gpu/$name.gz or .xz cannot be unpacked; run make gpu-bins" >&2; exit 1; }
	) &
	pids+=($!)
done
status=0
for pid in ${pids[0]+"${pids[@]}"}; do wait "$pid" || status=1; done
exit "$status"
