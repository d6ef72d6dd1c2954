#!/usr/bin/env bash
# Times training steps and inference of Stheno, PyTorch and JAX, one after the other, on a machine with an NVIDIA GPU, and keeps what
# they say in bench/results/gpu. It needs no Go: "make gpu-bins" leaves the programs in .build/gpu. It may be called with some of the cases
# at a time; where there is Go,
#
#   go run ./bench/peers/gpu -out bench/results/gpu.md bench/results/gpu/*.json
#
# then makes the table of everything that is there. Numbers are compared only with those of the same GPU.
#
#   CASES="…"      net:size:batch:mode:precision, the most important first: "resnet50:224:256:train:bf16 vgg16:32:512:inference:tf32",
#                  or one of the lists below: goals (the default), batches, all. size is that of the images; those of 224 have 1000 classes
#   LIMIT=…        seconds for everything (default 540). Who is done early leaves its time to those who come behind
#   WHO="…"        who takes part, in order (default "stheno torch jax")
#   VARIANTS=…     of PyTorch (default eager,compile,max-autotune; there is reduce-overhead besides): all cases in the first, then in the next
#   PYTHON=…       a Python with PyTorch (default python3); PYTHON_JAX=… one with JAX (default the same)
#   ROUNDS=… ROUND=…    rounds of a case, and seconds of a round (default 5 of 0.5)
#   FEED=…         bytes, floats, device: where the peers' batches come from (default bytes, as ours)
#   CASE_LIMIT=…   seconds for a case of a peer, its compilation included (default 150)
#   TUNING=…       --tuning of Stheno (default measure: the ways of the libraries, as cudnn.benchmark does for PyTorch)
#   VERIFY=0       does not verify Stheno's results before they are timed
#   PROFILE=FILE   has Stheno time every step of its cases, too, with their kernels; STHENO_CUDA_ALTERNATIVES=1 tells how long alternatives took
#   OUT=…          folder for the results (default bench/results/gpu)
#   COMMIT=…       of the programs, for the record (default: as "make gpu-bins" found it)
#   DEVICES=FILE   what "stheno devices" says, where that is known already
#   SIM=1          tries the script on the simulated GPU of "make sim", and the peers on the CPU, into .build/gpu-bench-sim
set -uo pipefail
case ${1:-} in -h | --help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" && exit ;; esac
cd "$(dirname "$0")/.." || exit
SIM=${SIM:-} PYTHON=${PYTHON:-python3} ROUNDS=${ROUNDS:-5} ROUND=${ROUND:-0.5} LIMIT=${LIMIT:-540}
PYTHON_JAX=${PYTHON_JAX:-$PYTHON}
OUT=${OUT:-$([ -n "$SIM" ] && echo .build/gpu-bench-sim || echo bench/results/gpu)}

# product NETS SIZES BATCHES MODES PRECISIONS lists cases.
product() {
	local net size batch mode precision
	for mode in $4; do for precision in $5; do for net in $1; do for size in $2; do for batch in $3; do
		echo "$net:$size:$batch:$mode:$precision"
	done; done; done; done; done
}

# list NAME is one of the lists of cases, without repetitions.
list() {
	local small='simplecnn vgg16 resnet50' large='resnet50 vgg16 alexnet'
	case $1 in
	goals)
		echo resnet50:224:256:train:bf16
		product 'resnet50 vgg16' 32 512 train 'bf16 tf32'
		product simplecnn 32 1024 train 'bf16 tf32'
		product 'vgg16 alexnet' 224 256 train bf16
		product "$small" 32 512 inference bf16
		product resnet50 224 256 inference bf16
		echo resnet50:224:256:train:tf32
		;;
	batches) # in two precisions
		list goals
		product "$small" 32 '64 128 512 1024' train 'bf16 tf32'
		product "$large" 224 '64 256' train 'bf16 tf32'
		;;
	all)
		list batches
		product "$small" 32 '64 128 512 1024' 'train inference' 'bf16 tf32 fp32'
		product "$large" 224 '64 256' 'train inference' 'bf16 tf32 fp32'
		;;
	*) echo "$1" ;;
	esac
}

# text makes a line of text a string of JSON.
text() { printf '"%s"' "$(printf '%s' "$1" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')"; }

# rounded rounds the images per second at the end of each line to whole ones, or below 100 to tenths.
rounded() {
	local line value LC_ALL=C
	while IFS= read -r line; do
		if [[ $line =~ ^(.*\ )([0-9]+\.[0-9]+)\ images/s$ ]]; then
			value=${BASH_REMATCH[2]}
			printf -v value '%.*f' "$((${value%.*} < 100))" "$value"
			line="${BASH_REMATCH[1]}$value images/s"
		fi
		printf '%s\n' "$line"
	done
}

# told makes a line of each case of a report: its images per second, or why there are none.
told() {
	awk '
		/^ *"(arch|size|batch|mode|precision)": / { key = $1; gsub(/[^a-z]/, "", key); gsub(/[",]/, "", $2); v[key] = $2 }
		/^ *"(images_per_second|why)": / { head = "Stheno " v["arch"] ":" v["size"] ":" v["batch"] ":" v["mode"] ":" v["precision"] " " }
		/^ *"images_per_second": / { gsub(/[^0-9.e+]/, "", $2); printf "%s%f images/s\n", head, $2 }
		/^ *"why": / { sub(/^ *"why": /, ""); sub(/,$/, ""); if (/ budget of /) $0 = "not done: " $0; print head $0 }' | rounded
}

# stheno SECONDS has Stheno do the cases, in one process. Those of which that says nothing, as it was ended, or that it could not do any more because
# an earlier one lost the GPU, get a process for themselves.
stheno() {
	local end=$((SECONDS + $1)) c code arch size batch mode precision
	measure "$1" "$(paste -sd, - <<<"$cases")"
	for c in $cases; do
		if [ -n "$stopped" ] || grep "^Stheno $c " "$WORK/told" | grep -vq 'this process cannot use '; then continue; fi
		if [ $((end - SECONDS)) -lt 5 ]; then
			echo "Stheno $c not done: no time was left"
			continue
		fi
		[[ $cases == "$c" ]] || measure "$((end - SECONDS))" "$c"
		if ! grep -q "^Stheno $c " "$WORK/told"; then
			echo "Stheno $c exit status $code"
			IFS=: read -r arch size batch mode precision <<<"$c"
			echo "{\"framework\":\"Stheno\",\"variant\":\"\",\"arch\":\"$arch\",\"size\":$size,\"classes\":$((size < 224 ? 100 : 1000)),\"batch\":$batch,\"mode\":\"$mode\"," \
				"\"precision\":\"$precision\",\"error\":$(text "exit status $code: $(tail -n 1 "$WORK/errors")")}" >>"$raw"
		fi
	done
}

# measure SECONDS CASES, with commas, has a process do them.
measure() {
	local options=(--tuning "${TUNING:-measure}")
	[ "${VERIFY:-1}" != 0 ] || options+=(--no-verify)
	[ -z "${PROFILE:-}" ] || options+=(--profile "$WORK/profile")
	timeout --foreground --kill-after=5 "$(($1 + 10))" "$WORK/stheno" bench --device cuda --case "$2" --seconds "$ROUND" --rounds "$ROUNDS" --budget "$1" --json - \
		"${options[@]}" >"$WORK/report" 2>"$WORK/errors"
	code=$?
	[ "$code" -eq 0 ] || tail -n 5 "$WORK/errors" >&2
	grep -e ' is not taken for ' -e ' tried for ' -e 'measured those of ' "$WORK/errors" | cut -c 1-1500 >&2
	if [ -s "$WORK/profile" ]; then cat "$WORK/profile" >>"$PROFILE" && rm "$WORK/profile"; fi
	cat "$WORK/report" >>"$raw"
	told <"$WORK/report" | tee "$WORK/told"
}

# has PYTHON MODULE VARIABLE NAME says in a line that a peer is missing, where it is.
has() {
	"$1" -c "import importlib.util as u, sys; sys.exit(not u.find_spec('$2'))" >/dev/null 2>&1 && return # importing it takes long
	missing=$((missing + 1))
	echo "gpu-bench: $4 is left out: $1 has no module $2; $3=… names a Python that has" >&2
	return 1
}

# peer PYTHON SCRIPT VARIANTS SECONDS
peer() {
	local device=cuda
	[ -z "$SIM" ] || device=cpu
	# shellcheck disable=SC2086 # the cases are words
	PYTHONUNBUFFERED=1 timeout --foreground --kill-after=5 "$(($4 + 15))" "$1" "bench/peers/$2" --device "$device" --variants "$3" --feed "${FEED:-bytes}" \
		--seconds "$ROUND" --rounds "$ROUNDS" --case-seconds "${CASE_LIMIT:-150}" --deadline "$4" $cases 2>"$WORK/errors" | tee -a "$raw" |
		sed -unE 's/.*"framework": "([^"]*)".*"variant": "([^"]*)", "arch": "([^"]*)", "size": ([0-9]*), "batch": ([0-9]*), "mode": "([^"]*)", "precision": "([^"]*)"/\1 \2 \3:\4:\5:\6:\7 &/
			s/ \{.*"images_per_second": ([^,]*),.*/ \1 images\/s/p; s/ \{.*"error": (.*), "case_seconds".*/ \1/p' | rounded
	[ "${PIPESTATUS[0]}" -eq 0 ] || { echo "gpu-bench: $2 ended with an error:" >&2 && tail -n 5 "$WORK/errors" >&2; }
	grep ': no time was left for ' "$WORK/errors" >&2
}

WORK=$(mktemp -d) stopped=''
trap 'rm -rf "$WORK"' EXIT
trap 'stopped=1' TERM INT # who is at work gets the signal, too, and what was measured is kept
if [ -n "$SIM" ]; then
	export LD_LIBRARY_PATH=$PWD/.build/sim${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	: "${CASES:=simplecnn:32:2:train:fp32 simplecnn:32:4:train:fp32 simplecnn:32:2:inference:bf16}"
	VARIANTS=${VARIANTS:-eager}
fi
if ! cases=$(for c in ${CASES:-goals}; do list "$c"; done | awk '!seen[$0]++') || echo "$cases" | grep -vE '^[a-z0-9-]+:[0-9]+:[0-9]+:(train|inference):(fp32|tf32|bf16)$' >&2; then
	echo 'gpu-bench: the lines above are no cases; write net:size:batch:mode:precision, or the name of a list: goals, batches, all' >&2
	exit 2
fi
bash scripts/gpu-unpack.sh "$WORK" stheno || exit 1
if [ -n "${DEVICES:-}" ]; then cp "$DEVICES" "$WORK/devices" || exit; else "$WORK/stheno" devices >"$WORK/devices" 2>&1; fi
if ! grep '^cuda:0 is ' "$WORK/devices" | grep -v '; cannot be used: ' >/dev/null; then
	cat "$WORK/devices" >&2
	echo 'gpu-bench: there is no GPU that can be used; SIM=1 tries the script without one' >&2
	exit 1
fi
mkdir -p "$OUT"
date=$(date -u +%Y-%m-%dT%H:%M:%SZ)
raw=$OUT/${date//:/}.json
smi() { nvidia-smi --query-gpu="$1" --format=csv,noheader --id=0 2>/dev/null | head -n 1; }
gpu=$(sed -n 's/^cuda:0 is \([^,]*\),.*/\1/p' "$WORK/devices")
echo "{\"gpu\":$(text "$gpu"),\"driver\":$(text "$(smi driver_version)"),\"memory\":$(text "$(smi memory.total)"),\"power_limit\":$(text "$(smi power.limit)")," \
	"\"cpu\":$(text "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors")," \
	"\"stheno\":$(text "$("$WORK/stheno" version | head -n 1)"),\"commit\":$(text "${COMMIT:-$(cat .build/gpu/commit 2>/dev/null)}"),\"date\":\"$date\"}" >"$raw"

# Of the time that is left, a contestant has its share: half for all but the last.
who=(${WHO:-stheno torch jax}) missing=0
for i in "${!who[@]}"; do
	left=$((LIMIT - SECONDS - 5))
	[ -z "$stopped" ] || left=0
	case ${who[i]} in torch) share=$((left * 7 / 10)) ;; *) share=$((left / 2)) ;; esac
	[ "$i" -lt $((${#who[@]} - 1)) ] || share=$left
	if [ "$share" -lt 10 ]; then
		echo "gpu-bench: no time is left for ${who[i]}" >&2
		continue
	fi
	echo "== ${who[i]}: at most $share s" >&2
	case ${who[i]} in
	stheno) stheno "$share" ;;
	torch) has "$PYTHON" torch PYTHON PyTorch && peer "$PYTHON" torch_gpu.py "${VARIANTS:-eager,compile,max-autotune}" "$share" ;;
	jax) has "$PYTHON_JAX" jax PYTHON_JAX JAX && peer "$PYTHON_JAX" jax_gpu.py jit "$share" ;;
	*) echo "gpu-bench: there is no ${who[i]}; WHO names stheno, torch, jax" >&2 && exit 2 ;;
	esac
done
without=''
[ "$missing" -eq 0 ] || without="; peers that are missing, see above: $missing"
echo "$raw: $(grep -c '"images_per_second"' "$raw") measurements, $(grep -cE '"error": ?"' "$raw") errors, in $SECONDS s$without" >&2
