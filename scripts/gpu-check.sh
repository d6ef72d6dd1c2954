#!/usr/bin/env bash
# Checks the CUDA engine on a machine with an NVIDIA GPU and writes what was found to bench/results/gpu-check.md. "make gpu" builds
# the programs and calls it; where there is no Go, call it itself, with the programs that "make gpu-bins" left in .build/gpu. Without
# a GPU that can be used it stops after the first part, and writes nothing. Any other failure does not keep the other parts from
# running.
#
#   SIM=1           on the simulated GPU of .build/sim: a small part of everything, reported in .build/gpu-check-sim.md
#   JOBS=…          processes at the same time, of tests that do not disturb each other (default: as many as processors, at most 12; 1 on the
#                   simulated GPU)
#   FIRST="…"       names of tests that come first (default: those that "make gpu-bins SINCE=COMMIT" names)
#   DATA_DIR=…      folder of CIFAR-100's files, to train on them
#   PYTHON=…        a Python with PyTorch, to time the same steps (default python3)
#   LIMIT=…         seconds for everything (default 420; 3600 on the simulated GPU)
#   LOGS=…          folder, seen from the repository, for what each part printed, as NUMBER.log
#   PARTS=…         only the parts whose titles this extended regular expression matches, reported in .build/gpu-check-parts.md
#   KEEP=…          folder for what was found, with which several calls make one report: what passed there, of the same programs, is not run
#                   again, and what another call found is in the report, too. Compiled kernels are kept there as well
#   REPORT=…        another file for the report; CACHE=… another folder for compiled kernels; BENCHTIME=1x has everything measured once, not ten times
#
# The exit status is 0 when all passed, 1 when something failed, and 75 when something was not done in time.
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
	"$WORK/stheno" devices --verbose | tee "$KEEP/check/devices" || return 1
	grep '^cuda:0 is ' "$KEEP/check/devices" | grep -v '; cannot be used: ' >/dev/null || return 1
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

# benchmarks PATTERN [PROGRAM FOLDER TIME] measures; on the simulated GPU it shows that this can be done.
benchmarks() {
	tests "${2:-cuda.test}" "${3:-cuda}" '^$' -test.bench "$1" -test.benchtime "${BENCHTIME:-${4:-$(pick 1x 10x)}}"
}

# Each tool of compute-sanitizer over as much as it can in this time; gpu-sanitize.sh does it with the whole suite.
sanitize() {
	[ -z "$SIM" ] || { echo 'compute-sanitizer needs a GPU'; return 77; }
	TESTS='^TestOps$' LIMIT=140 OUT=$KEEP/sanitize exec nice -n 10 bash scripts/gpu-sanitize.sh
}

if [ -n "${GPU_CHECK_PART:-}" ]; then # called by part
	"$@"
	exit
fi

# part TITLE SECONDS FUNCTION… runs a function above, or tests, with a limit of time. Status 77 is a part that cannot be run here. What is
# to be told of part N is left in files of that name.
part() {
	parts=$((parts + 1))
	titles[parts]=$1
	[[ $parts -eq 1 || -z ${PARTS:-} || $1 =~ $PARTS ]] || return 0
	chosen+=("$parts")
	if grep -qs '| pass |' "$FOUND/$parts.row"; then return; fi # by an earlier call
	if [ -z "$at_once" ]; then
		report_part "$parts" "$@"
	else
		report_part "$parts" "$@" &
	fi
}

# group TITLE PROGRAM PATTERN [SKIP [VARIABLE]] is a part of tests, which are run with those of all other groups: see gpu-tests.sh.
groups=''
group() {
	parts=$((parts + 1))
	titles[parts]=$1
	[[ -z ${PARTS:-} || $1 =~ $PARTS ]] || return 0
	chosen+=("$parts")
	groups+="$parts@$2@$3@${4:-}@${5:-}"$'\n'
}

# together runs the groups, and makes parts of them.
together() {
	[ -n "$groups" ] || return
	local begin=$SECONDS left=$((deadline - SECONDS)) number title ends
	left=$((left > 3 ? left - 3 : 0))
	echo "== tests, $JOBS processes at a time" >&2
	LIMIT=$left LOGS=$FOUND/tests JOBS=$JOBS PROGRAMS=$WORK bash scripts/gpu-tests.sh - <<<"$groups" 2>"$WORK/tests" &
	echo $! >"$WORK/tests.pid"
	while kill -0 "$(cat "$WORK/tests.pid")" 2>/dev/null; do wait "$(cat "$WORK/tests.pid")"; done # a signal ends a wait
	rm -f "$WORK/tests.pid"
	cat "$WORK/tests" >&2
	while IFS=@ read -r number _; do
		[ -n "$number" ] || continue
		# Of a test that was run several times the last counts.
		awk -F'|' -v part="$number" '$1 == part { last[$2] = $0 } END { for (t in last) print last[t] }' "$FOUND/tests/results" | sort >"$WORK/results"
		for log in $(cut -d'|' -f 5 "$WORK/results" | sort -n -u); do [ "$log" = - ] || cat "$FOUND/tests/$log.log"; done >"$FOUND/$number.log"
		ends=$(awk -F'|' '$3 ~ /^(pass|skip)$/ { next }
			$3 ~ /^no time|^not done/ { n++; if (n <= 3) open = open ", " $2; next }
			{ text = text "; " $2 ": " $3 }
			END { if (n) text = text "; " n " not done" open (n > 3 ? " …" : ""); print substr(text, 3) }' "$WORK/results")
		[ -s "$WORK/results" ] || ends='no test was run'
		judge "$number" "${titles[number]}" "$((SECONDS - begin))" "${ends:+**failed**: $ends}" tests
	done <<<"$groups"
}

report_part() {
	local number=$1 title=$2 limit=$3 status=pass begin=$SECONDS left=$((deadline - SECONDS)) code pid
	local log=$FOUND/$number.log
	shift 3
	[ -z "$SIM" ] || limit=$((4 * limit))
	if [ "$left" -lt 5 ] || [ -n "$stopped" ]; then
		[ -e "$FOUND/$number.row" ] || echo "| $title | **failed**: no time was left | | | | |" >"$FOUND/$number.row"
		return
	fi
	echo "== $title" >&2
	GPU_CHECK_PART=1 timeout --kill-after=10 "$((limit < left ? limit : left))" bash "$ROOT/scripts/gpu-check.sh" "$@" >"$log" 2>&1 &
	pid=$!
	echo "$pid" >"$WORK/$number.pid"
	[ "$BASHPID" = $$ ] || trap : TERM INT
	while wait "$pid"; code=$?; kill -0 "$pid" 2>/dev/null; do :; done # a signal ends a wait
	rm -f "$WORK/$number.pid"
	case $code in
	0) status='' ;;
	77) status="not run: $(tail -n 1 "$log")" ;;
	124 | 137 | 143) status="**failed**: not done in $((SECONDS - begin)) s" ;;
	*) status="**failed**: exit status $code" ;;
	esac
	judge "$number" "$title" "$((SECONDS - begin))" "$status" "$1"
}

# judge NUMBER TITLE SECONDS STATUS FUNCTION writes what is told of a part. Without a status it passed, if something was proved.
judge() {
	local number=$1 title=$2 took=$3 status=$4 passed failed skipped counts log=$FOUND/$1.log file=$FOUND/$1
	passed=$(grep -c '^ *--- PASS' "$log")
	failed=$(grep -c '^ *--- FAIL' "$log")
	skipped=$(grep -c '^ *--- SKIP' "$log")
	if [ "$5" = tests ] && [ -z "$status" ]; then # where all are skipped nothing is proved
		if grep -q 'needs a GPU, or the simulated' "$log"; then
			status='**failed**: a test found no GPU'
		elif [ "$passed" -eq 0 ]; then
			status='**failed**: no test was run'
		fi
	fi
	if [ "$5" = benchmarks ] && [ -z "$status" ] && ! grep -q '^Benchmark.*[ns]/op\|^Benchmark.*/s' "$log"; then status='**failed**: nothing was measured'; fi
	status=${status:-pass}
	counts="$passed passed, $failed failed, $skipped skipped, "
	[ $((passed + failed + skipped)) -gt 0 ] || counts='' passed='' failed='' skipped='' # this part is no tests
	echo "| $title | $status | $passed | $failed | $skipped | $took |" >"$file.row"
	echo "   $title: $(cut -c 1-300 <<<"$status"); $counts$took s" >&2
	grep -E '^number: |images/s|^Benchmark.*([nµ]s/|MB/s)|_test\.go:[0-9]+: .*(at worst|at most|steps|out of device memory|without|is not taken for|tried for)' "$log" |
		sed -E 's/^ *[a-z_]+_test\.go:[0-9]+: //; s/^number: //' | sort -u | cut -c 1-1000 | head -n 300 >"$file.numbers"
	grep -hE '^(Benchmark|torch ).*images/s' "$log" >"$file.speeds"
	rm -f "$file.detail"
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
	for i in $(seq "$parts"); do cat "$FOUND/$i.$1" 2>/dev/null; done
}

deadline=$((SECONDS + ${LIMIT:-$(pick 3600 420)}))
WORK=$(mktemp -d)
export WORK
stopped=''
# A signal ends the parts that are under way: what was found until then is reported.
stop() {
	stopped=1 deadline=0
	local pid
	for pid in "$WORK"/*.pid; do
		[ -e "$pid" ] || continue
		if [ "$pid" = "$WORK/tests.pid" ]; then kill -TERM "$(cat "$pid")"; else kill -TERM -- "-$(cat "$pid")"; fi 2>/dev/null
	done
}
trap stop TERM INT
trap 'rm -rf "$WORK"' EXIT
bash scripts/gpu-unpack.sh "$WORK" stheno cuda.test cudnn.test train.test memcopy.test || exit 1
export KEEP=${KEEP:-$WORK/kept}
mkdir -p "$KEEP/check" && KEEP=$(cd "$KEEP" && pwd) || exit 1
FOUND=$KEEP/check # by parts
digest=$(cat .build/gpu/*.[gx]z | cksum)
if [ "$(cat "$FOUND/digest" 2>/dev/null)" != "$digest" ]; then
	rm -rf "$FOUND" && mkdir "$FOUND" && echo "$digest" >"$FOUND/digest"
fi
export XDG_CACHE_HOME=${CACHE:-$KEEP/cache} # of compiled kernels: a check begins with none
report=$ROOT/bench/results/gpu-check.md
[ -z "${PARTS:-}" ] || report=$ROOT/.build/gpu-check-parts.md
if [ -n "$SIM" ]; then
	report=$ROOT/.build/gpu-check-sim.md
	export LD_LIBRARY_PATH=$ROOT/.build/sim${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
report=${REPORT:-$report}
parts=0 chosen=() titles=() at_once='' # parts at the same time
if [ -z "${JOBS:-}" ]; then JOBS=$(pick 1 "$(nproc)"); [ "$JOBS" -le 12 ] || JOBS=12; fi

convolutions='Conv|Few|Tiny|IdleTaps|Mask|NaNIsMasked|Joined.*Mask' norms='Narrow|Joined|Measured|Dense|Product|Fold|Sums' # in the names of tests
part 'Devices and libraries' 30 devices
if grep -q failed "$FOUND/1.row"; then
	cat "$FOUND/1.log" >&2
	reason=$(grep -m 1 -E '^no GPU: |; cannot be used: ' "$FOUND/1.log")
	printf '\ngpu-check: there is no GPU that can be used%s\n' "${reason:+: ${reason#no GPU: }}" >&2
	echo 'Nothing to check, and no report is written. Without a GPU: "make gpu-test" runs the engine'"'"'s tests on a simulated one, and' \
		'"SIM=1 make gpu" tries this check there' >&2
	exit 1
fi
at_once=1 # in any order, beside the tests
part 'compute-sanitizer over the operations' 150 sanitize
part 'ResNet-50 on the files of CIFAR-100' 60 cifar
group 'Tests: conformance of operations, fusions and nets, float32 and float64' cuda.test '^(TestConformance|TestOps)$'
group 'Tests: conformance of plans without passes' cuda.test '^TestConformanceWithoutPasses$'
group 'Tests: convolutions in all ways, also in tf32 and bf16' cuda.test "^Test($convolutions)"
group 'Tests: batch norms, dense layers and products in all ways, also in tf32 and bf16' cuda.test "^Test($norms)" "^Test($convolutions)"
group 'Tests: everything else of the engine' cuda.test '^Test' "^(TestConformance|TestOps)|^Test($convolutions|$norms)"
group 'Tests: 20 losses against PyTorch, Keras and the CPU engine' train.test '^TestGPULosses$'
group 'Tests: 20 losses in tf32 and bf16' train.test '^TestGPUPrecisionLosses$'
group 'Tests: cuDNN against plain sums; statistics and masks twice' cudnn.test '^Test' '(Masked|Selected|Summed|Residual|Statistics)Plans$'
group 'Tests: operations without cuDNN and cuBLASLt' cuda.test '^TestOps$' '' STHENO_CUDA_WITHOUT=cudnn,cublaslt
group 'Tests: everything else of training: checkpoints between devices, resuming bit by bit, optimizers' train.test '^TestGPU' \
	'^TestGPU(Losses|PrecisionLosses|MemoryDoesNotGrow|OutOfMemory|GraphLaunchesDoNotGrow)$'
together
at_once='' # in the background Ctrl-C is ignored
while [ -n "$(jobs -rp)" ]; do wait; done # what is measured is alone
part 'Ctrl-C in a step' 60 interrupt
part 'Memory, over 10,000 launches of a graph too' 60 tests train.test train '^TestGPU(MemoryDoesNotGrow|GraphLaunchesDoNotGrow|OutOfMemory)$'
part 'Speed of training steps' 60 benchmarks '^BenchmarkGPUStep$' train.test train "$(pick 1x 1s)"
part 'Kernels: convolutions over tiny images' 75 benchmarks '^BenchmarkTinyImages$'
part 'Kernels: sums of channels' 75 benchmarks '^BenchmarkSums$/^(Copy|ReLUGrad|BatchStats|BatchNormReLUSums)/^.(512|2|40),'
part 'Kernels: gradients of max poolings' 40 benchmarks '^BenchmarkMaskedPools$/^bf16$'
part 'Kernels: masked gradients of convolutions' 75 benchmarks '^BenchmarkMaskedGradients$/^(32|2)$'
part 'Kernels: updates of filters' 20 benchmarks '^BenchmarkFilterUpdates$/^momentum$'
part 'Kernels: batch norms' 60 benchmarks '^BenchmarkNorms$'
part 'Kernels: first layers, small batch norms and dense layers' 60 benchmarks '^Benchmark(FirstLayers|SmallNorms|Dense)$/^([A-Z]|512$|1152$)'
part 'Copies in memory' 20 benchmarks '^BenchmarkCopy$' memcopy.test internal/memcopy 0.2s
part 'Folders of pictures: whether the GPU waits for decoding' 60 benchmarks '^BenchmarkGPUPictures$' train.test train "$(pick 1x 40x)"
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

if [ ${#chosen[@]} -eq 1 ]; then
	echo "gpu-check: no part has a title like PARTS=$PARTS; these are all:" >&2
	printf '  %s\n' "${titles[@]}" >&2
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
	[ ! -s .build/gpu/commit ] || echo "commit $(cat .build/gpu/commit)"
	echo "$(uname -sr), $(nproc) processors"
	[ -n "$SIM" ] || nvidia-smi --query-gpu=name,driver_version,memory.total,pstate --format=csv,noheader 2>/dev/null | sed 's/^/nvidia-smi: /'
	"$PYTHON" -c 'from importlib.metadata import version; print("PyTorch", version("torch"))' 2>/dev/null
	cat "$FOUND/devices"
	echo '```'
	echo
	echo '| part | result | tests passed | failed | skipped | seconds |'
	echo '|---|---|---|---|---|---|'
	all row
	speeds
	echo
	echo '## Numbers, and the end of what failed'
	all detail
} | sed -e "s|$WORK|…|g" -e "s|$KEEP|…|g" -e "s|$ROOT|.|g" >"$report"
if [ -n "${LOGS:-}" ]; then mkdir -p "$LOGS" && cp "$FOUND"/*.log "$LOGS"; fi
failed=0 open=0 # of the parts that were asked for; others may be of an earlier call
for i in "${chosen[@]}"; do
	grep -qsF '**failed**' "$FOUND/$i.row" || continue
	failed=$((failed + 1))
	grep -qE '\| \*\*failed\*\*: (no time|not done|[0-9]+ not done)' "$FOUND/$i.row" && open=$((open + 1))
done
echo "$report: $((${#chosen[@]} - failed)) of ${#chosen[@]} parts passed or cannot be run here, $((failed - open)) failed, $open not done in time" >&2
[ "$open" -eq 0 ] || exit 75
exit $((failed > 0))
