#!/usr/bin/env bash
# Trains a recipe on a machine with an NVIDIA GPU within a limit of time, and keeps what came of it: history.csv, run.json, what was
# printed with the seconds since the start, and the curves. Where there is no Go: the programs that "make gpu-bins" left in .build/gpu.
#
#   DATA_DIR=…    folder of CIFAR-100's train.bin and test.bin, or their archive; without it, the cache folder or the network
#   OUT=…         folder for the results, which are replaced (default bench/results/RECIPE); a training that fails leaves it as it was
#   RECIPE=…      one of "stheno recipes", or a file (default resnet18-cifar100-fast)
#   PRECISION=…   fp32, tf32 or bf16 (default bf16)
#   LIMIT=…       seconds for the training (default 140), at the end of which it saves what it has
#   RUN=…         folder of the run with its checkpoints (default a temporary one, which is removed). Where it holds one already, the same
#                 call goes on with it
#
# Arguments are further flags of stheno train, such as --epochs 1. Lines that begin with "number:" are the results; who calls the script from
# another finds them by that.
set -uo pipefail
case ${1:-} in -h | --help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" && exit ;; esac
cd "$(dirname "$0")/.." || exit
RECIPE=${RECIPE:-resnet18-cifar100-fast}
OUT=${OUT:-bench/results/$(basename "$RECIPE" .yaml)}
LIMIT=${LIMIT:-140}
work=$(mktemp -d) || exit
# A checkpoint of ResNet-18 is 90 MB, each is written to the end before training goes on, and these are not kept: memory is faster.
place=$work
shm=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)
if [ "${shm:-0}" -gt 4000000 ]; then place=$(mktemp -d -p /dev/shm) || place=$work; fi
trap 'rm -rf "$work" "$place"' EXIT
RUN=${RUN:-$place/run}

bash scripts/gpu-unpack.sh "$work" stheno || exit 1
if ! "$work/stheno" devices >"$work/devices" 2>&1 || ! grep '^cuda:0 is ' "$work/devices" | grep -v '; cannot be used: ' >/dev/null; then
	sed "s|$work/||g" "$work/devices" >&2
	echo 'gpu-train: there is no GPU that can be used; without one: stheno train --device cpu --recipe …' >&2
	exit 1
fi
resume=()
[ ! -f "$RUN/run.json" ] || resume=(--resume)

# stamped puts the seconds since the start of the script before every line.
stamped() {
	while IFS= read -r line; do printf '%5d s  %s\n' "$SECONDS" "$line"; done
}

{
	"$work/stheno" version
	cat "$work/devices"
	# What is interrupted by SIGTERM saves, and exits with 130, for which timeout says 124. What it must kill would take timeout along
	# without --foreground.
	timeout --foreground --kill-after=30 "$LIMIT" "$work/stheno" train --recipe "$RECIPE" --device cuda --precision "${PRECISION:-bf16}" \
		${DATA_DIR:+--data-dir "$DATA_DIR" --offline} --out "$RUN" ${resume[0]+"${resume[@]}"} "$@"
	echo $? >"$work/status"
} 2>&1 | stamped | sed -u -e "s|$work/||g" -e "s|$place/||g" | tee "$work/log.txt"
status=$(cat "$work/status")

done=''
case $status in 0 | 124) done=1 ;; esac
if [ -n "$done" ] && [ -f "$RUN/history.csv" ]; then
	mkdir -p "$OUT" || exit
	cp "$RUN/history.csv" "$work/log.txt" "$OUT" || exit
	grep -v '^  "data_dir":' "$RUN/run.json" >"$OUT/run.json" || exit # a path of this machine
	if bash scripts/gpu-unpack.sh "$work" plot 2>/dev/null; then
		"$work/plot" -title "$(basename "$RECIPE" .yaml)" -out "$OUT/history.png" "$RUN"
	else
		echo 'gpu-train: no picture, as .build/gpu has no program plot; where there is Go: cd scripts/plot && go run . -out history.png FOLDER' >&2
	fi
	awk -F, 'NR > 1 && $7 != "" && $7 >= best { best = $7; epoch = $1 } NR > 1 { last = $1; speed += $9 }
		END { if (last) printf "number: best validation top-1 %.2f %% in epoch %d of %d, %.0f images/s in the mean\n", 100 * best, epoch, last, speed / last }' \
		"$OUT/history.csv"
fi
case $status in
0) echo "number: done after $SECONDS s, in $OUT" ;;
124)
	if [ -f "$RUN/history.csv" ]; then
		echo "number: not done in $LIMIT s; what was reached is in $OUT"
	else
		echo "number: not done in $LIMIT s, and no epoch either: nothing is left in $OUT"
	fi
	;;
137) echo "gpu-train: the training was killed: it was not over 30 s after the limit of $LIMIT s, or the machine's memory was used up" >&2 ;;
*) echo "gpu-train: the training failed with exit status $status; $OUT is as it was" >&2 ;;
esac
[ -n "$done" ]
