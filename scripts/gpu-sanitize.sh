#!/usr/bin/env bash
# Runs the conformance suite of the CUDA engine under the tools of compute-sanitizer, on a machine with an NVIDIA GPU, and says in a line
# for each what it found. It needs the CUDA toolkit and no Go: "make gpu-bins" leaves the program with the tests in .build/gpu.
#
#   TOOLS="…"    memcheck racecheck initcheck synccheck (the default: all of them)
#   TESTS=…      pattern of the tests (default ^(TestConformance|TestOps)$; TestOps is a fraction of that, and runs every kind of kernel)
#   LIMIT=…      seconds for everything (default 800)
#   SHARES=…     processes that share the suite (default 8), and JOBS=… of them at a time (default: half as many as processors, at most 8)
#   OUT=…        folder for the logs (default .build/gpu-sanitize). A share that was clean there, of the same program, is not checked again: the
#                same call goes on with what was not done
#
# SANITIZER=… names the program compute-sanitizer, or something in its place; SIM=1 tries the script with that on the simulated GPU of .build/sim.
#
# memcheck looks at the kernels of cuDNN and cuBLASLt too, as it is our memory that they work in. The other tools have the half of the suite
# that runs on our own kernels alone: racecheck and synccheck would tell of other people's, and initcheck cannot be told to look at
# some kernels only, or it takes for unwritten what the others wrote. KERNELS="…" are options for the tools:
# KERNELS="--kernel-name kns=gemm" checks kernels with that in their names, --kernel-name-exclude leaves some out.
set -uo pipefail
case ${1:-} in -h | --help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" && exit ;; esac
cd "$(dirname "$0")/.." || exit
TESTS=${TESTS:-^(TestConformance|TestOps)\$} OUT=${OUT:-.build/gpu-sanitize} SHARES=${SHARES:-8} TOOLS=${TOOLS:-memcheck racecheck initcheck synccheck}
if [ -z "${JOBS:-}" ]; then JOBS=$((($(nproc) + 1) / 2)); [ "$JOBS" -le 8 ] || JOBS=8; fi
deadline=$((SECONDS + ${LIMIT:-800}))
sanitizer=${SANITIZER:-}
if [ -z "$sanitizer" ]; then
	if ! nvidia-smi --list-gpus 2>/dev/null | grep -q . && ! compgen -G '/dev/nvidia[0-9]*' >/dev/null; then
		echo 'gpu-sanitize: there is no GPU; the suite runs on a simulated one with make gpu-test, without compute-sanitizer'
		exit 77
	fi
	sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
	[ -n "$sanitizer" ] || { echo 'gpu-sanitize: there is no compute-sanitizer; it comes with the CUDA toolkit, and SANITIZER=… names one'; exit 77; }
fi
work=$(mktemp -d)
stopped=''
stop() {
	stopped=1
	local pid
	for pid in "$work"/*.pid; do [ ! -e "$pid" ] || kill -TERM -- "-$(cat "$pid")" 2>/dev/null; done
}
trap stop TERM INT
trap 'rm -rf "$work"' EXIT
mkdir -p "$OUT" || exit 1
OUT=$(cd "$OUT" && pwd)
bash scripts/gpu-unpack.sh "$work" cuda.test || exit 1
[ -z "${SIM:-}" ] || export LD_LIBRARY_PATH=$PWD/.build/sim${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
digest=$({ cat "$work/cuda.test" && echo "$TESTS ${KERNELS:-}"; } | cksum | tr -d ' ')

# check TOOL SHARE runs a share of the tests under a tool. The last line of its log says what came of it.
check() {
	local tool=$1 share=$2 log=$OUT/$1-$2-of-$SHARES.log begin=$SECONDS left=$((deadline - SECONDS)) pid code errors begun passed failed status tests=$TESTS
	if tail -n 1 "$log" 2>/dev/null | grep -qF ": clean; $digest;"; then return; fi
	if [ "$left" -lt 5 ] || [ -n "$stopped" ]; then return; fi
	[[ $tool == memcheck || $tests == */* ]] || tests+=/own
	# shellcheck disable=SC2086 # options are words
	(cd cuda && exec timeout --kill-after=10 "$left" env STHENO_TEST_SHARE="$share/$SHARES" "$sanitizer" --tool "$tool" --error-exitcode 99 \
		--print-limit 20 --check-exit-code no ${KERNELS:-} "$work/cuda.test" -test.v -test.run "$tests" ${SIM:+-test.short}) >"$log" 2>&1 &
	pid=$!
	echo "$pid" >"$work/$tool-$share.pid"
	trap : TERM INT
	while wait "$pid"; code=$?; kill -0 "$pid" 2>/dev/null; do :; done # a signal ends a wait
	rm -f "$work/$tool-$share.pid"
	errors=$(sed -nE 's/^=+ (ERROR|RACECHECK) SUMMARY: (.*)/\2/p' "$log" | tail -n 1)
	begun=$(grep -cE '^=== RUN +[^/]*/[^/]*/' "$log") passed=$(grep -cE '^ *--- PASS: [^/]*/[^/]*/' "$log") failed=$(grep -c '^ *--- FAIL' "$log")
	case $code in
	0) status=clean ;;
	99) status=errors ;;
	124 | 137 | 143) status='not done' passed=$((begun > 0 ? begun - 1 : 0)) ;; # the suite tells at its end that cases passed
	*) status="failed: exit status $code" ;;
	esac
	if [ "$code" -ge 124 ] && grep -q '^========= .*\(Error\|Invalid\|Uninitialized\|hazard\)' "$log"; then status='errors, and not done'; fi
	if [ "$code" -eq 0 ] && { [ "$passed" -eq 0 ] || [ -z "$errors" ]; }; then status='failed: no test was run'; fi
	if [ "$code" -eq 0 ] && [ "$failed" -gt 0 ]; then status='failed tests'; fi
	echo "$tool $share/$SHARES: $status; $digest; ${errors:-no summary}; $passed cases, $failed failed; $((SECONDS - begin)) s" >>"$log"
}

for tool in $TOOLS; do
	for ((share = 1; share <= SHARES; share++)); do
		while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n; done
		check "$tool" "$share" &
	done
done
while [ -n "$(jobs -rp)" ]; do wait; done # a signal ends a wait

worst=0
for tool in $TOOLS; do
	for ((share = 1; share <= SHARES; share++)); do
		tail -n 1 "$OUT/$tool-$share-of-$SHARES.log" 2>/dev/null | grep -F "; $digest; " || echo "$tool $share/$SHARES: not begun; $digest; no summary; 0 cases, 0 failed; 0 s"
	done | sed "s/; $digest;/;/" >"$work/shares"
	clean=$(grep -c ': clean;' "$work/shares")
	cases=$(sed -nE 's/.*; ([0-9]+) cases, .*/\1/p' "$work/shares" | awk '{ n += $1 } END { print n + 0 }')
	if [ "$clean" -eq "$SHARES" ]; then
		echo "number: $tool: clean; $(cut -d';' -f 2 "$work/shares" | sort | uniq -c | sed 's/^ *[0-9]* *//' | paste -sd, -); $cases cases passed, 0 failed, in $SHARES shares"
		continue
	fi
	worst=1
	if grep -qE ': (errors|failed)' "$work/shares"; then status='**errors**'; else status='**not done**, without an error until then'; fi
	echo "number: $tool: $status; $clean of $SHARES shares are clean, $cases cases passed or begun; $(grep -v ': clean;' "$work/shares" | sed -E "s/^$tool ([0-9]+)[^:]*: ([^;]*);.*/share \1: \2/" | paste -sd, - | sed 's/,/, /g')"
done
exit "$worst"
