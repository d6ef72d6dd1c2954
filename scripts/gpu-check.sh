#!/usr/bin/env bash
# Checks the CUDA engine on a machine with an NVIDIA GPU and writes what was found to bench/results/gpu-check.md. "make gpu" builds
# the programs and calls it; where there is no Go, call it itself, with the programs that "make gpu-bins" left in .build/gpu. Without
# a GPU that can be used it stops after the first part, and writes nothing. Any other failure does not keep the other parts from
# running; the exit status tells of it.
#
#   SIM=1           on the simulated GPU of .build/sim: a small part of everything, reported in .build/gpu-check-sim.md
#   JOBS=…          parts at the same time, of those that do not disturb each other (default 8, where there are as many processors)
#   DATA_DIR=…      folder of CIFAR-100's files, to train on them
#   PYTHON=…        a Python with PyTorch, to time the same steps (default python3)
#   LIMIT=…         seconds for everything (default 420; 1800 on the simulated GPU)
#   LOGS=…          folder, seen from the repository, for what each part printed, as NUMBER.log
#   PARTS=…         only the parts whose titles this extended regular expression matches, reported in .build/gpu-check-parts.md
set -uo pipefail
case ${1:-} in -h | --help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" && exit ;; esac
cd "$(dirname "$0")/.." || exit
export ROOT=$PWD SIM=${SIM:-} DATA_DIR=${DATA_DIR:-} PYTHON=${PYTHON:-python3}

# pick SMALL LARGE is the amount of work for the simulated GPU or a real one.
pick() { if [ -n "$SIM" ]; then echo "$1"; else echo "$2"; fi; }

# tests PROGRAM FOLDER PATTERN [ARGUMENT…] runs tests where they find their files.
tests() {
	cd "$ROOT/$2" && exec "$WORK/$1" -test.v -test.run "$3" ${SIM:+-test.short} "${@:4}"
}

devices() {
	"$WORK/stheno" devices --verbose | tee "$WORK/devices" || return 1
	grep '^cuda:0 is ' "$WORK/devices" | grep -v '; cannot be used: ' >/dev/null || return 1
}

# An interrupted training leaves a checkpoint that evaluates and goes on, on either device.
interrupt() {
	local run=$WORK/interrupted pid code epochs device
	set -m # otherwise a command in the background ignores Ctrl-C
	"$WORK/stheno" train --device cuda --data sample --limit-train "$(pick 64 2000)" --limit-test 50 --epochs 100000 --batch 16 --save-every 3 \
		--schedule constant --out "$run" &
	pid=$!
	for _ in $(seq 600); do
		[ "$(cat "$run/history.csv" 2>/dev/null | wc -l)" -lt 2 ] || break
		kill -0 "$pid" || return 1
		sleep 0.1
	done
	sleep 0.35
	kill -INT "$pid"
	wait "$pid"
	code=$?
	[ "$code" -eq 130 ] || { echo "the exit status of the interrupted training is $code, want 130"; return 1; }
	for device in cuda cpu; do
		"$WORK/stheno" eval --run "$run" --limit-test 50 --device "$device" | tee "$WORK/eval-$device" || return 1
	done
	cmp <(grep -o 'loss [0-9]*\.[0-9][0-9]' "$WORK/eval-cuda") <(grep -o 'loss [0-9]*\.[0-9][0-9]' "$WORK/eval-cpu") || return 1
	epochs=$(wc -l <"$run/history.csv") # with its heading: one more than are done
	echo "number: interrupted in epoch $epochs; evaluated, and gone on with, on both devices"
	for device in cpu cuda; do
		"$WORK/stheno" train --resume --out "$run" --device "$device" --epochs "$epochs" || return 1
		epochs=$((epochs + 1))
	done
}

# ResNet-50 on the real files of CIFAR-100.
cifar() {
	[ -n "$DATA_DIR" ] || { echo 'DATA_DIR names no folder with the files of CIFAR-100'; return 77; }
	"$WORK/stheno" train --device cuda --arch resnet50 --data cifar100 --data-dir "$DATA_DIR" --offline --limit-train "$(pick 64 20000)" --limit-test 1000 \
		--epochs 2 --batch 64 --augment --standardise --optimizer sgd --lr 0.02 --precision tf32 --out "$WORK/cifar" || return 1
	sed 's/^/number: /' "$WORK/cifar/history.csv"
	awk -F, 'NR == 2 { first = $3 } END { exit !($3 < first) }' "$WORK/cifar/history.csv" || { echo 'the loss did not fall'; return 1; }
}

# The steps of BenchmarkGPUStep in PyTorch; bench/peers/README.md has the whole comparison.
peers() {
	local cases=() step precision
	"$PYTHON" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null || { echo "no PyTorch with CUDA in $PYTHON"; return 77; }
	for precision in fp32 tf32 bf16; do
		for step in simplecnn:32:1024 vgg16:32:512 resnet50:32:256; do cases+=("$step:train:$precision"); done
	done
	"$PYTHON" bench/peers/torch_gpu.py --seconds 0.3 --rounds 5 --deadline 60 "${cases[@]}" >"$WORK/peers" || return 1
	cat "$WORK/peers"
	! grep '"error"' "$WORK/peers" || return 1
	sed -nE 's/.*"arch": "([^"]*)".*"batch": ([0-9]*),.*"precision": "([^"]*)".*"images_per_second": ([0-9.]*),.*/torch eager \1 batch=\2 \3 \4 images\/s/p' "$WORK/peers"
}

# First layers beside cuDNN's, small batch norms in one launch and in two, dense layers in both types, updates of filters by gradients in both orders.
kernels() {
	[ -z "$SIM" ] || { echo 'times of kernels need a GPU'; return 77; }
	tests cuda.test cuda '^$' -test.bench '^Benchmark(FirstLayers|SmallNorms|Dense|MaskedGradients|FilterUpdates)$/^([A-Z]|512$|1152$|32$|momentum$)' -test.benchtime 10x
}

# Sums of channels in each way to share them among blocks, of some images of VGG-16 and ResNet-50.
sums() {
	[ -z "$SIM" ] || { echo 'times of kernels need a GPU'; return 77; }
	tests cuda.test cuda '^$' -test.bench '^BenchmarkSums$/^(Copy|ReLUGrad|BatchStats|BatchNormReLUSums)/^.512' -test.benchtime 10x
}

# Convolutions over images smaller than the window, each by what there is for larger ones and as products.
tiny() {
	[ -z "$SIM" ] || { echo 'times of kernels need a GPU'; return 77; }
	tests cuda.test cuda '^$' -test.bench '^BenchmarkTinyImages$' -test.benchtime 10x
}

# Gradients of max poolings, masked and summed by steps of their own and on the way.
pools() {
	[ -z "$SIM" ] || { echo 'times of kernels need a GPU'; return 77; }
	tests cuda.test cuda '^$' -test.bench '^BenchmarkMaskedPools$/^bf16$' -test.benchtime 10x
}

# Each tool of compute-sanitizer over as much as it can in this time; gpu-sanitize.sh does it with the whole suite.
sanitize() {
	[ -z "$SIM" ] || { echo 'compute-sanitizer needs a GPU'; return 77; }
	TESTS='^TestOps$' LIMIT=100 AT_ONCE=1 OUT=$WORK/sanitize bash scripts/gpu-sanitize.sh
}

if [ -n "${GPU_CHECK_PART:-}" ]; then # called by part
	"$@"
	exit
fi

# part TITLE SECONDS FUNCTION… runs a function above, or tests, with a limit of time. Status 77 is a part that cannot be run here. What is
# to be told of part N is left in files of that name.
part() {
	[[ $parts -eq 0 || -z ${PARTS:-} || $1 =~ $PARTS ]] || return 0
	parts=$((parts + 1))
	if [ -z "$at_once" ]; then
		report_part "$parts" "$@"
		return
	fi
	while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n; done
	report_part "$parts" "$@" &
}

report_part() {
	local file=$WORK/$1 title=$2 limit=$3 status=pass begin=$SECONDS left=$((deadline - SECONDS)) code passed failed skipped counts
	local log=$file.log
	shift 3
	[ -z "$SIM" ] || limit=$((4 * limit))
	if [ "$left" -lt 5 ]; then
		echo "| $title | **failed**: no time was left | | | | |" >"$file.row"
		return
	fi
	echo "== $title" >&2
	GPU_CHECK_PART=1 timeout --kill-after=10 "$((limit < left ? limit : left))" bash "$ROOT/scripts/gpu-check.sh" "$@" >"$log" 2>&1
	code=$?
	passed=$(grep -c '^ *--- PASS' "$log")
	failed=$(grep -c '^ *--- FAIL' "$log")
	skipped=$(grep -c '^ *--- SKIP' "$log")
	case $code in
	0) ;;
	77) status="not run: $(tail -n 1 "$log")" ;;
	124 | 137) status="**failed**: not done in $((SECONDS - begin)) s" ;;
	*) status="**failed**: exit status $code" ;;
	esac
	if [ "$1" = tests ] && [ "$status" = pass ]; then # where all are skipped nothing is proved
		if grep -q 'needs a GPU, or the simulated' "$log"; then
			status='**failed**: a test found no GPU'
		elif [ "$passed" -eq 0 ] && ! grep -q '^Benchmark.*images/s' "$log"; then
			status='**failed**: no test was run'
		fi
	fi
	counts="$passed passed, $failed failed, $skipped skipped, "
	[ $((passed + failed + skipped)) -gt 0 ] || counts='' passed='' failed='' skipped='' # this part is no tests
	echo "| $title | $status | $passed | $failed | $skipped | $((SECONDS - begin)) |" >"$file.row"
	echo "   $title: $status; $counts$((SECONDS - begin)) s" >&2
	grep -E '^number: |images/s|^Benchmark(FirstLayers|SmallNorms|Dense|MaskedGradients|MaskedPools|TinyImages|Sums)/.*(ns/op|µs/)|_test\.go:[0-9]+: .*(at worst|at most|steps|out of device memory|without|is not taken for|tried for)' "$log" |
		sed -E 's/^ *[a-z_]+_test\.go:[0-9]+: //; s/^number: //' | sort -u | head -n 300 >"$file.numbers"
	grep -hE '^(Benchmark|torch ).*images/s' "$log" >"$file.speeds"
	if [ -s "$file.numbers" ] || [[ $status == *failed* ]]; then
		{
			printf '\n### %s\n\n```\n' "$title"
			cat "$file.numbers"
			case $status in *failed*)
				echo '…'
				grep -vE '^ *(=== |--- (PASS|SKIP))' "$log" | tail -n 60 | cut -c 1-400
				;;
			esac
			printf '```\n'
		} >"$file.detail"
	fi
}

# all SUFFIX is what the parts left, in their order.
all() {
	local i
	for i in $(seq "$parts"); do cat "$WORK/$i.$1" 2>/dev/null; done
}

deadline=$((SECONDS + ${LIMIT:-$(pick 1800 420)}))
report=$ROOT/bench/results/gpu-check.md
WORK=$(mktemp -d)
export WORK
trap 'rm -rf "$WORK"' EXIT
for program in stheno cuda.test cudnn.test train.test; do
	gzip --decompress --stdout ".build/gpu/$program.gz" 2>/dev/null >"$WORK/$program" || { echo "gpu-check: .build/gpu/$program.gz cannot be unpacked; run make gpu-bins" >&2; exit 1; }
	chmod +x "$WORK/$program"
done
export XDG_CACHE_HOME=$WORK/cache # of compiled kernels: every check begins with none
[ -z "${PARTS:-}" ] || report=$ROOT/.build/gpu-check-parts.md
if [ -n "$SIM" ]; then
	report=$ROOT/.build/gpu-check-sim.md
	export LD_LIBRARY_PATH=$ROOT/.build/sim${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
parts=0 at_once='' # parts at the same time
JOBS=${JOBS:-$(pick 1 "$(nproc)")}
JOBS=$((JOBS < 8 ? JOBS : 8))

convolutions='Conv|Few|Tiny|IdleTaps|Mask|NaNIsMasked|Joined.*Mask' norms='Narrow|Joined|Measured|Dense|Product|Fold|Sums' # in the names of tests
part 'Devices and libraries' 30 devices
if all row | grep -q failed; then
	cat "$WORK/1.log" >&2
	reason=$(grep -m 1 -E '^no GPU: |; cannot be used: ' "$WORK/1.log")
	printf '\ngpu-check: there is no GPU that can be used%s\n' "${reason:+: ${reason#no GPU: }}" >&2
	echo 'Nothing to check, and no report is written. Without a GPU: "make gpu-test" runs the engine'"'"'s tests on a simulated one, and' \
		'"SIM=1 make gpu" tries this check there' >&2
	exit 1
fi
at_once=1 # in any order; the longest begin
part 'Conformance: operations, fusions and nets, float32 and float64' 150 tests cuda.test cuda '^(TestConformance|TestOps)$'
part 'compute-sanitizer over the operations' 150 sanitize
part 'Conformance of plans without passes' 150 tests cuda.test cuda '^TestConformanceWithoutPasses$'
part 'Convolutions: all ways, in tf32 and bf16' 150 tests cuda.test cuda "^Test($convolutions)"
part 'Batch norms, dense layers and products: all ways, in tf32 and bf16' 150 tests cuda.test cuda "^Test($norms)"
part 'Everything else of the engine' 150 tests cuda.test cuda '^Test' -test.skip "^(TestConformance|TestOps)|^Test($convolutions|$norms)"
part '20 losses against PyTorch, Keras and the CPU engine' 90 tests train.test train '^TestGPULosses$'
part '20 losses in tf32 and bf16' 90 tests train.test train '^TestGPUPrecisionLosses$'
part 'cuDNN: convolutions against plain sums; statistics and masks twice' 90 tests cudnn.test cuda/internal/cudnn '^Test(ConvolutionsEqualTheReference|(Statistics|Masked)Repeat)$'
STHENO_CUDA_WITHOUT=cudnn,cublaslt part 'Without cuDNN and cuBLASLt: operations' 90 tests cuda.test cuda '^TestOps$'
part 'Everything else of training: checkpoints between devices, resuming bit by bit, optimizers' 90 tests train.test train '^TestGPU' \
	-test.skip '^TestGPU(Losses|PrecisionLosses|MemoryDoesNotGrow|OutOfMemory|GraphLaunchesDoNotGrow)$'
part 'ResNet-50 on the files of CIFAR-100' 60 cifar
at_once='' # in the background Ctrl-C is ignored
part 'Ctrl-C in a step' 60 interrupt
wait # what is measured is alone
part 'Memory, over 10,000 launches of a graph too' 60 tests train.test train '^TestGPU(MemoryDoesNotGrow|GraphLaunchesDoNotGrow|OutOfMemory)$'
part 'Speed of training steps' 60 tests train.test train '^$' -test.bench '^BenchmarkGPUStep$' -test.benchtime "$(pick 1x 1s)"
part 'Kernels beside what they replace' 115 kernels
part 'Convolutions over tiny images' 75 tiny
part 'Gradients of max poolings' 40 pools
part 'Sums of channels' 75 sums
part 'Folders of pictures: whether the GPU waits for decoding' 60 tests train.test train '^$' -test.bench '^BenchmarkGPUPictures$' -test.benchtime "$(pick 1x 40x)"
part 'Speed of the same steps in PyTorch' 75 peers

# speeds is the table of ours and PyTorch's images per second.
speeds() {
	awk '
	/^BenchmarkGPUStep/ {
		split($1, name, "/"); sub(/-[0-9]+$/, "", name[4])
		for (i = 2; i <= NF; i++) if ($i == "images/s") ours[key = name[2] "|" name[3] "|" name[4]] = $(i - 1)
		order[++n] = key
	}
	/^torch/ { peer[$3 "|" $4 "|" $(NF - 2)] = $(NF - 1) }
	END {
		if (!n) exit
		print "\n## Speed\n\nImages per second of whole training steps, ours with floats that are copied from host memory for each.\n"
		print "| net | batch | precision | Stheno | PyTorch, channels-last | ratio |\n|---|---|---|---|---|---|"
		for (i = 1; i <= n; i++) {
			split(order[i], k, "|"); sub("batch=", "", k[2]); p = peer[order[i]]
			printf "| %s | %s | %s | %.0f | %s | %s |\n", k[1], k[2], k[3], ours[order[i]], p ? p : "not measured", p ? sprintf("%.2f", ours[order[i]] / p) : ""
		}
	}' <(all speeds)
}

if [ "$parts" -eq 1 ]; then
	echo "gpu-check: no part has a title like PARTS=$PARTS; these are all:" >&2
	sed -nE "s/^[A-Z_=a-z,]* *part ('[^']*'|\"[^\"]*\").*/  \1/p" "$ROOT/scripts/gpu-check.sh" >&2
	exit 2
fi
mkdir -p "$(dirname "$report")"
{
	echo '# Check of the CUDA engine'
	echo
	if [ -n "$SIM" ]; then
		echo 'On the simulated GPU: this shows that the check itself works, and nothing of a GPU. Lines such as "simulated CUDA: …:'
		echo 'STHENO_SIM_FAULT" are of tests that make it fail on purpose.'
	else
		echo "Written by \`make gpu\` on $(date -u +'%e %B %Y' | sed 's/^ *//') in $SECONDS s.${PARTS:+ Parts like \`$PARTS\` alone.}"
	fi
	echo
	echo '```'
	"$WORK/stheno" version
	echo "$(uname -sr), $(nproc) processors"
	[ -n "$SIM" ] || nvidia-smi --query-gpu=name,driver_version,memory.total,pstate --format=csv,noheader 2>/dev/null | sed 's/^/nvidia-smi: /'
	"$PYTHON" -c 'import torch; print("PyTorch", torch.__version__, "CUDA", torch.version.cuda, "cuDNN", torch.backends.cudnn.version())' 2>/dev/null
	cat "$WORK/devices"
	echo '```'
	echo
	echo '| part | result | tests passed | failed | skipped | seconds |'
	echo '|---|---|---|---|---|---|'
	all row
	speeds
	echo
	echo '## Numbers, and the end of what failed'
	all detail
} | sed -e "s|$WORK|…|g" -e "s|$ROOT|.|g" >"$report"
if [ -n "${LOGS:-}" ]; then mkdir -p "$LOGS" && cp "$WORK"/*.log "$LOGS"; fi
failures=$(all row | grep -c '\*\*failed')
echo "$report: $((parts - failures)) of $parts parts passed or cannot be run here, $failures failed" >&2
exit $((failures > 0))
