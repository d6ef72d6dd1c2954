#!/usr/bin/env bash
# Runs the conformance suite of the CUDA engine under the tools of compute-sanitizer, on a machine with an NVIDIA GPU, and says in a line
# for each what it found. It needs the CUDA toolkit and no Go: "make gpu-bins" leaves the program with the tests in .build/gpu.
#
#   TOOLS="…"   memcheck racecheck initcheck synccheck (the default: all of them)
#   TESTS=…     pattern of the tests (default ^(TestConformance|TestOps)$; TestOps is a fraction of that, and runs every kind of kernel)
#   LIMIT=…     seconds for each tool (default 200)
#   OUT=…       folder for the logs (default .build/gpu-sanitize)
#   AT_ONCE=1   the tools at the same time. Then they share the GPU and the limit is for all of them
#
# memcheck looks at the kernels of cuDNN and cuBLASLt too, as it is our memory that they work in. The other tools have the half of the suite
# that runs on our own kernels alone: racecheck and synccheck would tell of other people's, and initcheck cannot be told to look at
# some kernels only, or it takes for unwritten what the others wrote. KERNELS="…" are options for the tools:
# KERNELS="--kernel-name kns=gemm" checks kernels with that in their names, --kernel-name-exclude leaves some out.
set -uo pipefail
case ${1:-} in -h | --help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" && exit ;; esac
cd "$(dirname "$0")/.." || exit
LIMIT=${LIMIT:-200} TESTS=${TESTS:-^(TestConformance|TestOps)\$} OUT=${OUT:-.build/gpu-sanitize}
if ! nvidia-smi --list-gpus 2>/dev/null | grep -q . && ! compgen -G '/dev/nvidia[0-9]*' >/dev/null; then
	echo 'gpu-sanitize: there is no GPU; the suite runs on a simulated one with make gpu-test, without compute-sanitizer'
	exit 77
fi
sanitizer=${SANITIZER:-$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)}
[ -n "$sanitizer" ] || { echo 'gpu-sanitize: there is no compute-sanitizer; it comes with the CUDA toolkit, and SANITIZER=… names one'; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$OUT" || exit 1
OUT=$(cd "$OUT" && pwd)
if ! gzip --decompress --stdout .build/gpu/cuda.test.gz 2>/dev/null >"$work/cuda.test"; then
	echo 'gpu-sanitize: .build/gpu/cuda.test.gz cannot be unpacked; run make gpu-bins' >&2
	exit 1
fi
chmod +x "$work/cuda.test"

# check TOOL runs the tests under a tool. A line of what it found is the last of its log, and its status is that of the check.
check() {
	local tool=$1 log=$OUT/$1.log begin=$SECONDS code errors passed failed status tests=$TESTS
	[[ $tool == memcheck || $tests == */* ]] || tests+=/own
	# shellcheck disable=SC2086 # options are words
	(cd cuda && timeout --kill-after=10 "$LIMIT" "$sanitizer" --tool "$tool" --error-exitcode 99 --print-limit 20 \
		--check-exit-code no ${KERNELS:-} "$work/cuda.test" -test.v -test.run "$tests") >"$log" 2>&1
	code=$?
	errors=$(sed -nE 's/^=+ (ERROR|RACECHECK) SUMMARY: (.*)/\2/p' "$log" | tail -n 1)
	passed=$(grep -cE '^ *--- PASS: [^/]*/[^/]*/' "$log") failed=$(grep -c '^ *--- FAIL' "$log")
	case $code in
	0) status=clean ;;
	99) status='**errors**' ;;
	124 | 137) status="**not done** in $LIMIT s, without an error until then" ;;
	*) status="**failed**: exit status $code" ;;
	esac
	if [ "$code" -ge 124 ] && grep -q '^========= .*\(Error\|Invalid\|Uninitialized\|hazard\)' "$log"; then status='**errors**, and not done'; fi
	if [ "$code" -eq 0 ] && { [ "$passed" -eq 0 ] || [ -z "$errors" ]; }; then
		status='**failed**: no test was run' code=1
	fi
	if [ "$code" -eq 0 ] && [ "$failed" -gt 0 ]; then
		status='**failed** tests' code=1
	fi
	echo "number: $tool: $status; ${errors:-no summary}; $passed cases passed, $failed failed, in $((SECONDS - begin)) s" | tee -a "$log"
	return "$code"
}

worst=0
if [ -n "${AT_ONCE:-}" ]; then
	pids=()
	for tool in ${TOOLS:-memcheck racecheck initcheck synccheck}; do check "$tool" & pids+=($!); done
	for pid in "${pids[@]}"; do wait "$pid" || worst=1; done
else
	for tool in ${TOOLS:-memcheck racecheck initcheck synccheck}; do check "$tool" || worst=1; done
fi
exit "$worst"
