#!/usr/bin/env bash
# Runs tests of the CUDA engine on a machine with an NVIDIA GPU: several processes at a time with a few tests in each, so that one which
# hangs or loses the GPU takes few others along. Those are run again, and what failed is, too, without others beside it. "make gpu-bins" leaves
# the programs in .build/gpu.
#
#   gpu-tests.sh PROGRAM PATTERN [SKIP]     tests of cuda.test, cudnn.test or train.test by their names: gpu-tests.sh cuda.test '^TestTiny'
#   gpu-tests.sh -                          several such lists. Lines have a title, PROGRAM, PATTERN, SKIP and a variable for the environment, with
#                                           @ between each
#
#   FIRST="…"      names of tests that come first, each in a process of its own (default: those that "make gpu-bins SINCE=COMMIT" names)
#   JOBS=…         processes at a time (default: as many as processors, at most 12)
#   CHUNK=…        tests in a process (default 8); SHARES=… processes for each of the conformance tests (default 4)
#   LIMIT=…        seconds for everything (default 300); TEST_LIMIT=… for a process (default 150)
#   LOGS=…         folder for what the processes print, NUMBER.log, and what became of each test, results (default .build/gpu-tests). What passed
#                  there before, of the same programs, is not run again
#   SIM=1          on the simulated GPU of .build/sim, with -short
set -uo pipefail
case ${1:-} in -h | --help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" && exit ;; esac
cd "$(dirname "$0")/.." || exit
ROOT=$PWD SIM=${SIM:-} LOGS=${LOGS:-.build/gpu-tests} CHUNK=${CHUNK:-8} SHARES=${SHARES:-4} TEST_LIMIT=${TEST_LIMIT:-150}
shared=' TestConformance TestConformanceWithoutPasses TestOps ' # which enginetest.ShareEnv divides
if [ -z "${JOBS:-}" ]; then JOBS=$(nproc); [ "$JOBS" -le 12 ] || JOBS=12; fi
deadline=$((SECONDS + ${LIMIT:-300}))
case $# in
1) [ "$1" = - ] && lists=$(cat) || exec bash "$0" --help ;;
2 | 3) lists="tests@$1@$2@${3:-}@" ;;
*) exec bash "$0" --help ;;
esac
[ -z "$SIM" ] || export LD_LIBRARY_PATH=$ROOT/.build/sim${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

WORK=$(mktemp -d)
stopped=''
# What a process that is killed leaves is told as of one whose time is over.
stop() {
	stopped=1
	local pid
	for pid in "$WORK"/*.pid; do [ ! -e "$pid" ] || kill -TERM -- "-$(cat "$pid")" 2>/dev/null; done
}
trap stop TERM INT
trap 'rm -rf "$WORK"' EXIT
mapfile -t programs < <(echo "$lists" | cut -d@ -f 2 | grep . | sort -u)
bash scripts/gpu-unpack.sh "$WORK" "${programs[@]}" || exit 1
mkdir -p "$LOGS" && LOGS=$(cd "$LOGS" && pwd) || exit 1
digest=$(cat .build/gpu/*.[gx]z | cksum)
if [ "$(cat "$LOGS/digest" 2>/dev/null)" != "$digest" ]; then
	rm -f "$LOGS"/*.log "$LOGS/results"
	echo "$digest" >"$LOGS/digest"
fi
touch "$LOGS/results"

folder() {
	case $1 in cuda.test) echo cuda ;; cudnn.test) echo cuda/internal/cudnn ;; *) echo "${1%.test}" ;; esac
}

# The list of processes: the title of the tests, their program, a variable, their share, and the names, by priority.
declare -A passed=() early=()
while IFS='|' read -r title test result _; do
	if [ "$result" = pass ] || [ "$result" = skip ]; then passed["$title|$test"]=1; else unset "passed[$title|$test]"; fi
done <"$LOGS/results"
[ -n "${FIRST+set}" ] || FIRST=$(cat .build/gpu/first 2>/dev/null)
for name in $FIRST; do early[$name]=1; done
touch "$WORK"/{0,1,2}
while IFS=@ read -r title program pattern skip variable; do
	[ -n "$title" ] || continue
	several=()
	while read -r name; do
		if [[ $shared == *" $name "* ]]; then
			for ((k = 1; k <= SHARES; k++)); do
				[ -n "${passed["$title|$name $k/$SHARES"]:-}" ] || echo "$title|$program|$variable|$k/$SHARES|$name" >>"$WORK/1"
			done
		elif [ -n "${passed["$title|$name"]:-}" ]; then
			:
		elif [ -n "${early[$name]:-}" ]; then
			echo "$title|$program|$variable||$name" >>"$WORK/0"
		else
			several+=("$name")
		fi
	done < <(cd "$(folder "$program")" && "$WORK/$program" -test.list "$pattern" | grep '^Test' | if [ -n "$skip" ]; then grep -vE "$skip"; else cat; fi)
	chunks=$(((${#several[@]} + CHUNK - 1) / CHUNK))
	for ((k = 0; k < chunks; k++)); do # neighbours, which often take about as long, are dealt to different processes
		list=''
		for ((i = k; i < ${#several[@]}; i += chunks)); do list+=" ${several[i]}"; done
		echo "$title|$program|$variable||${list# }" >>"$WORK/2"
	done
done <<<"$lists"

# process NUMBER TITLE PROGRAM VARIABLE SHARE NAMES runs tests, and tells what became of each in a line of results, of which the last counts. On the
# list "undone" are those that others may have kept from being run, on the list "failed" those that may have failed because of others.
process() {
	local number=$1 title=$2 program=$3 variable=$4 share=$5 names=$6 log=$LOGS/$1.log begin=$SECONDS limit=$((deadline - SECONDS)) code pid name result took
	[ "$limit" -le "$TEST_LIMIT" ] || limit=$TEST_LIMIT
	if [ "$limit" -lt 2 ] || [ -n "$stopped" ]; then
		[ -n "$pass" ] || for name in $names; do echo "$title|$name${share:+ $share}|no time was left|0|-" >>"$LOGS/results"; done
		return
	fi
	(cd "$(folder "$program")" && exec timeout --kill-after=5 "$limit" env ${variable:+"$variable"} ${share:+"STHENO_TEST_SHARE=$share"} \
		"$WORK/$program" -test.v -test.run "^(${names// /|})\$" ${SIM:+-test.short}) >"$log" 2>&1 &
	pid=$!
	echo "$pid" >"$WORK/$number.pid"
	trap : TERM INT
	while wait "$pid"; code=$?; kill -0 "$pid" 2>/dev/null; do :; done # a signal ends a wait
	rm -f "$WORK/$number.pid"
	for name in $names; do
		result=$(sed -nE "s/^--- (PASS|FAIL|SKIP): $name \((.*)s\)/\1 \2/p" "$log" | tail -n 1)
		took=${result#* } result=${result% *}
		case $result in
		PASS) result=pass && [ "$pass" != failed ] || result='failed beside others, passed by itself' ;;
		SKIP) result=skip && ! grep -q 'needs a GPU, or the simulated' "$log" || result='found no GPU' ;;
		FAIL)
			result=failed
			if [ -z "$pass" ] && [[ $names == *' '* ]] && grep -q 'context is lost' "$log"; then
				echo "$title|$program|$variable|$share|$name" >>"$WORK/undone"
			elif [ "$pass" != failed ]; then
				echo "$title|$program|$variable|$share|$name" >>"$WORK/failed"
			fi
			;;
		*)
			took=$((SECONDS - begin))
			case $code in
			124 | 137 | 143) result="not done in $took s" ;;
			*) result="ended with exit status $code" ;;
			esac
			[ -n "$pass" ] || [[ $names != *' '* ]] || echo "$title|$program|$variable|$share|$name" >>"$WORK/undone"
			;;
		esac
		[ "$result" = pass ] || [ "$result" = skip ] || echo "   $name${share:+ $share}: $result" >&2
		echo "$title|$name${share:+ $share}|$result|$took|$number" >>"$LOGS/results"
	done
}

number=$(ls "$LOGS" | sed -n 's/\.log$//p' | sort -n | tail -n 1)
number=${number:-0}
# all JOBS LIST… runs what is on the lists.
all() {
	local title program variable share names jobs=$1
	shift
	while IFS='|' read -r title program variable share names; do
		while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
		number=$((number + 1))
		process "$number" "$title" "$program" "$variable" "$share" "$names" </dev/null &
	done < <(cat "$@")
	while [ -n "$(jobs -rp)" ]; do wait; done # a signal ends a wait
}
before=$(wc -l <"$LOGS/results") pass=''
all "$JOBS" "$WORK/0" "$WORK/1" "$WORK/2"
for pass in undone failed; do
	[ -s "$WORK/$pass" ] || continue
	echo "   again: $(cut -d'|' -f 5 "$WORK/$pass" | paste -sd' ' -)" >&2
	all "$([ "$pass" = failed ] && echo 1 || echo "$JOBS")" "$WORK/$pass"
done
tail -n +$((before + 1)) "$LOGS/results" | awk -F'|' '{ last[$1 "|" $2] = $0 } END { for (t in last) print last[t] }' >"$WORK/now"
wrong=$(grep -cvE '^[^|]*\|[^|]*\|(pass|skip)\|' "$WORK/now")
echo "   tests: $(grep -c '|pass|' "$WORK/now") passed, $(grep -c '|skip|' "$WORK/now") skipped, $wrong failed or not done, ${#passed[@]} passed before, in $SECONDS s" >&2
exit $((wrong > 0))
