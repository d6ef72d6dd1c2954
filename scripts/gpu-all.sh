#!/usr/bin/env bash
# Everything that is to be shown on a machine with an NVIDIA GPU, in as many seconds as there are, the most important first: the tests, the
# training steps that matter beside PyTorch, kernels, compute-sanitizer, then more and more of the table of bench/results/gpu.md. Called again it
# goes on where it ended. It needs no Go: "make gpu-bins" leaves the programs in .build/gpu.
#
#   BUDGET=540 OUT=found bash scripts/gpu-all.sh
#
#   BUDGET=…       seconds (default 540). A part that does not fit any more is left out, and those behind it are tried
#   BESIDE=…       seconds at most for what runs at the same time: tests, racecheck, PyTorch's compilations (default: two fifths, at most 200)
#   ONLY="…"       these parts, done or not, instead of all that are not done; SKIP="…" leaves some out. --list tells the parts
#   OUT=…          folder for what comes of it (default .build/gpu-all/out): summary.md, gpu-check.md, results.json (as of gpu-bench.sh, which keep
#                  theirs in bench/results/gpu as well), alternatives.txt with how long ways took that were measured, profile.txt with the time of
#                  every kernel, logs.tar.gz
#   KEPT=…         folder for what later calls go on with, of the same programs on the same GPU (default .build/gpu-all): what is done, what was
#                  found, and caches. All but these is in logs.tar.gz, to go on with on another machine: tar -xzf logs.tar.gz -C .build/gpu-all
#   FIRST="…"      names of tests that come first (default: those that "make gpu-bins SINCE=COMMIT" names)
#   PYTHON=… PYTHON_JAX=…    a Python with PyTorch, and one with JAX (default python3, and the same)
#   SIM=1          a rehearsal on the simulated GPU of "make sim", with tiny cases
#
# SIGTERM ends it with what was found until then.
set -uo pipefail
case ${1:-} in -h | --help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" && exit ;; esac
cd "$(dirname "$0")/.." || exit
ROOT=$PWD BUDGET=${BUDGET:-540}
export SIM=${SIM:-} PYTHON=${PYTHON:-python3}
export PYTHON_JAX=${PYTHON_JAX:-$PYTHON}

# Name, seconds that a part needs at least and gets at most, and what it is. Limits of what has not run on a GPU yet are guesses.
PARTS='tests 20 300 all tests of the engine, those that are new first
compile 20 300 PyTorch compiles what it is timed with later
prepare 20 300 kernels that are measured later are compiled
races 20 300 racecheck over the operations
memory 10 60 memory over 10,000 launches, what happens when it runs out, and Ctrl-C
goals 40 230 the training steps that matter beside PyTorch, verified, with the times of alternatives and of every kernel
kernels 15 300 kernels beside what they replace
large 30 100 VGG-16 and AlexNet for images of 224²
inference 25 120 inference
tf32 25 120 training in tf32
jax 40 150 training beside JAX
small 25 150 training with other batches
fp32 25 120 training in fp32
autotune 60 200 training beside PyTorch with max-autotune
others 15 200 what else the check has: steps fed with floats, pictures, first layers, the other tools of compute-sanitizer'
if [ "${1:-}" = --list ]; then echo "$PARTS" && exit; fi

# pick SMALL LARGE is for the simulated GPU or a real one.
pick() { if [ -n "$SIM" ]; then echo "$1"; else echo "$2"; fi; }

# cases PART are what is measured, the most important first, and variants PART PyTorch's.
cases() {
	[ -z "$SIM" ] || set -- "sim $1"
	case $1 in
	goals) echo vgg16:32:512:train:bf16 resnet50:224:256:train:bf16 resnet50:32:512:train:bf16 resnet50:32:64:train:bf16 simplecnn:32:1024:train:bf16 ;;
	large) echo vgg16:224:256:train:bf16 alexnet:224:256:train:bf16 ;;
	inference) echo resnet50:32:512:inference:bf16 vgg16:32:512:inference:bf16 resnet50:224:256:inference:bf16 simplecnn:32:512:inference:bf16 ;;
	tf32) echo vgg16:32:512:train:tf32 resnet50:32:512:train:tf32 simplecnn:32:1024:train:tf32 resnet50:224:256:train:tf32 ;;
	jax) echo vgg16:32:512:train:bf16 resnet50:224:256:train:bf16 resnet50:32:512:train:bf16 simplecnn:32:1024:train:bf16 ;;
	small) echo vgg16:32:64:train:bf16 vgg16:32:128:train:bf16 resnet50:32:128:train:bf16 simplecnn:32:64:train:bf16 simplecnn:32:512:train:bf16 \
		vgg16:32:1024:train:bf16 resnet50:32:1024:train:bf16 resnet50:224:64:train:bf16 simplecnn:32:128:train:bf16 ;;
	fp32) echo resnet50:32:512:train:fp32 simplecnn:32:1024:train:fp32 vgg16:32:512:train:fp32 ;;
	autotune) echo vgg16:32:512:train:bf16 resnet50:224:256:train:bf16 resnet50:32:512:train:bf16 ;;
	'sim goals') echo simplecnn:32:8:train:bf16 simplecnn:32:2:train:bf16 ;;
	'sim inference') echo simplecnn:32:2:inference:bf16 ;;
	'sim tf32' | 'sim fp32') echo "simplecnn:32:2:train:${1#sim }" ;;
	'sim '*) echo simplecnn:32:4:train:bf16 ;;
	esac
}
variants() {
	case $1 in
	goals) pick eager,compile eager,reduce-overhead,compile ;;
	large) pick eager eager,compile ;;
	fp32) echo eager ;;
	autotune) pick compile max-autotune ;;
	*) pick eager eager,reduce-overhead ;;
	esac
}

# ---- what the parts do, each in a process of its own

# part NAME SECONDS. Status 75 is a part that is not done, and goes on when it is called again; 77 one that cannot be done here.
part() {
	name=$1 limit=$(($2 - 6)) # to end in time by itself
	ended=''
	trap 'ended=1' TERM # whom it calls gets the signal, too, and ends
	case $name in
	tests) CACHE=$KEPT/cache/tests check '^Tests' ;; # what tests measure beside others is not to be followed
	memory) check '^Memory|^Ctrl-C' ;;
	kernels) check '^Kernels: [^f]|^Copies' ;;
	others) check '^Kernels: f|^Speed of training|^Folders|^compute-sanitizer' ;;
	compile) compile ;;
	prepare) # what is found fast beside others is not to be followed, nor are times told
		KEEP=$KEPT/prepared REPORT=$KEPT/prepared/report CACHE=$KEPT/cache/tests BENCHTIME=1x PARTS='^Kernels: [cgsub]' LIMIT=$limit nice -n 10 \
			bash scripts/gpu-check.sh >"$KEPT/said-$name" 2>&1
		;;
	races) races ;;
	goals) PROFILE=$KEPT/profile.txt bench 'stheno torch' ;;
	jax) VERIFY=0 bench 'stheno jax' ;;
	small) VERIFY=${VERIFY:-0} bench 'stheno torch' ;;
	*) bench 'stheno torch' ;;
	esac
}

# note keeps what comes as what this part said, and shows it. It ends when they end who write.
note() { (trap '' TERM && exec tee "$KEPT/said-$name"); }

# check PATTERN does parts of gpu-check.sh.
check() {
	local code
	KEEP=$KEPT REPORT=$OUT/gpu-check.md PARTS=$1 LIMIT=$limit bash scripts/gpu-check.sh 2>&1 | note
	code=${PIPESTATUS[0]}
	echo "result: $(tail -n 1 "$KEPT/said-$name" | sed 's/^[^ ]*: //')"
	return "$code"
}

races() {
	local code
	TOOLS=racecheck TESTS='^TestOps$' LIMIT=$limit OUT=$KEPT/sanitize nice -n 10 bash scripts/gpu-sanitize.sh 2>&1 | note
	code=${PIPESTATUS[0]}
	echo "result: $(tail -n 1 "$KEPT/said-$name" | sed 's/^number: //')"
	[ "$code" -ne 1 ] || ! grep -qF '**not done**' "$KEPT/said-$name" || code=75
	return "$code"
}

# bench WHO measures the cases of a part that are not complete, all contestants in one call.
bench() {
	local list=() c code rest=0
	case $name in
	jax) has "$PYTHON_JAX" jax || { echo 'result: no JAX' && return 77; } ;;
	autotune) has "$PYTHON" torch || { echo 'result: no PyTorch' && return 77; } ;;
	esac
	for c in $(cases "$name"); do complete "$c" "$1" "$KEPT/speeds" || list+=("$c"); done
	[ ${#list[@]} -gt 0 ] || return 0
	[ "$name" != autotune ] || export TORCHINDUCTOR_CACHE_DIR=$KEPT/cache/autotune # see compile
	CASES="${list[*]}" WHO=$1 VARIANTS=$(variants "$name") LIMIT=$limit OUT=$KEPT/results ROUND=${ROUND:-$(pick 0.05 0.3)} ROUNDS=${ROUNDS:-$(pick 2 5)} \
		STHENO_CUDA_ALTERNATIVES=1 bash scripts/gpu-bench.sh 2>&1 | note
	code=${PIPESTATUS[0]}
	[ "$code" -eq 0 ] || return "$code"
	if [ -z "$SIM" ]; then mkdir -p bench/results/gpu && cp "$(ls -t "$KEPT"/results/*.json | head -n 1)" bench/results/gpu; fi
	for c in "${list[@]}"; do complete "$c" "$1" "$KEPT/said-$name" || rest=$((rest + 1)); done
	echo "result: $((${#list[@]} - rest)) of ${#list[@]} cases"
	[ "$rest" -eq 0 ] || return 75
}

# complete CASE WHO FILE: whether all contestants have answered. One that failed, but for want of time, would fail again.
complete() {
	local who variant
	for who in $2; do
		case $who in
		stheno) answered "Stheno $1" "$3" || return ;;
		jax) ! has "$PYTHON_JAX" jax || answered "JAX jit $1" "$3" || return ;;
		torch) ! has "$PYTHON" torch || for variant in $(variants "$name" | tr , ' '); do answered "PyTorch $variant $1" "$3" || return; done ;;
		esac
	done
}
answered() { grep "^$1 " "$2" | grep -vqE 'not done|no time'; }
has() { "$1" -c "import importlib.util as u, sys; sys.exit(not u.find_spec('$2'))" 2>/dev/null; }

# compile has PyTorch compile what it is timed with, in the order of the parts, into its caches on disk. What max-autotune finds the fastest beside
# other programs is not to be followed when it is timed: of that only compiled kernels are kept, which are in Triton's cache.
compile() {
	has "$PYTHON" torch || { echo 'result: no PyTorch' && return 77; }
	local of variant compiled list c code inductor device end=$((SECONDS + limit))
	device=$(pick cpu cuda)
	touch "$KEPT/warm"
	for of in goals large inference tf32 small autotune; do
		compiled=$(variants "$of" | tr , '\n' | grep -v eager | paste -sd, -)
		list=()
		for c in $(cases "$of"); do
			for variant in ${compiled//,/ }; do grep -qx "$variant $c" "$KEPT/warm" || { list+=("$c") && break; }; done
		done
		if [ ${#list[@]} -gt 0 ]; then
			[ $((end - SECONDS)) -gt 10 ] || { echo "result: until $of" && return 75; }
			inductor=$TORCHINDUCTOR_CACHE_DIR
			[ "$of" != autotune ] || inductor=$KEPT/cache/tried
			TORCHINDUCTOR_CACHE_DIR=$inductor nice -n "$([ "$of" = goals ] && echo 5 || echo 15)" "$PYTHON" bench/peers/torch_gpu.py --device "$device" \
				--variants "$compiled" --warm --case-seconds 200 --deadline $((end - SECONDS)) "${list[@]}" 2>&1 | tee -a "$KEPT/said-$name" |
				sed -unE 's/^PyTorch ([a-z-]+ [^ ]+): warm after .*/\1/p' >>"$KEPT/warm"
			code=${PIPESTATUS[0]}
			[ -z "$ended" ] || { echo "result: in $of" && return 75; }
			[ "$code" -eq 0 ] || return "$code"
		fi
		echo "$of" >>"$KEPT/warm"
	done
	echo 'result: everything'
}

KEPT=${KEPT:-.build/gpu-all}
mkdir -p "$KEPT" && KEPT=$(cd "$KEPT" && pwd) || exit
OUT=${OUT:-$KEPT/out}
mkdir -p "$OUT" && OUT=$(cd "$OUT" && pwd) || exit
export PROGRAMS=$KEPT/programs DEVICES=$KEPT/devices XDG_CACHE_HOME=$KEPT/cache CACHE=$KEPT/cache TORCHINDUCTOR_CACHE_DIR=$KEPT/cache/inductor TRITON_CACHE_DIR=$KEPT/cache/triton
if [ -n "${GPU_ALL_PART:-}" ]; then # called by begin
	part "$GPU_ALL_PART" "$GPU_ALL_LIMIT"
	exit
fi

# ---- what comes when

deadline=$((SECONDS + BUDGET - 6)) # and some seconds for the end
[ -z "$SIM" ] || export LD_LIBRARY_PATH=$ROOT/.build/sim${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
programs=$(cat .build/gpu/*.[gx]z 2>/dev/null | cksum)
if [ "$(cat "$PROGRAMS/digest" 2>/dev/null)" != "$programs" ]; then
	rm -rf "$PROGRAMS" && mkdir -p "$PROGRAMS" && echo "$programs" >"$PROGRAMS/digest"
fi
bash scripts/gpu-unpack.sh "$PROGRAMS" stheno cuda.test cudnn.test train.test memcopy.test || exit
"$PROGRAMS/stheno" devices >"$DEVICES" 2>&1
if ! grep '^cuda:0 is ' "$DEVICES" | grep -v '; cannot be used: ' >/dev/null; then
	cat "$DEVICES" >&2
	echo 'gpu-all: there is no GPU that can be used; SIM=1 tries the script without one' >&2
	exit 1
fi
gpu=$(sed -n 's/^cuda:0 is \([^,]*\),.*/\1/p' "$DEVICES")
if [ "$(cat "$KEPT/of" 2>/dev/null)" != "$programs, $gpu" ]; then # of other programs, or on another GPU, nothing is done
	rm -rf "$KEPT"/{done,rows,speeds,alternatives.txt,profile.txt,said-*,logs,results,check,prepared,sanitize}
	echo "$programs, $gpu" >"$KEPT/of"
fi
mkdir -p "$KEPT"/{logs,results}
touch "$KEPT"/{done,rows,speeds,alternatives.txt,profile.txt}

stopped=''
declare -A running=() begun=() spoken=() # by part: its process group, when it began, and where in its log
stop() {
	stopped=1 deadline=$((SECONDS + 10))
	echo 'gpu-all: it ends early' >&2
	local name
	for name in "${!running[@]}"; do end "$name"; done
}
trap stop TERM INT
end() { kill -TERM -- "-${running[$1]}" 2>/dev/null || kill -TERM "${running[$1]}" 2>/dev/null; }

is_done() { grep -qx "$1" "$KEPT/done"; }

wanted() {
	[[ " ${SKIP:-} " != *" $1 "* ]] || return
	if [ -n "${ONLY:-}" ] && [ -z "${begun[$1]:-}" ]; then [[ " $ONLY " == *" $1 "* ]]; else ! is_done "$1"; fi
}

# row NAME RESULT SECONDS notes what became of a part.
row() {
	sed -i "/^$1|/d" "$KEPT/rows"
	echo "$1|$2|$3" >>"$KEPT/rows"
}

# begin NAME [SECONDS [MORE]] begins a part in the background, if it is wanted and there is time for it. Who ends it at its limit by a signal gives it
# some more seconds: timeout, once it had a signal, kills when its own time is over.
begin() {
	local name=$1 least limit more=${3:-0} left=$((deadline - SECONDS))
	wanted "$name" || return
	read -r _ least limit _ < <(grep "^$name " <<<"$PARTS")
	[ -z "${2:-}" ] || [ "$left" -le "$2" ] || left=$2
	[ "$limit" -le "$left" ] || limit=$left
	if [ "$limit" -lt "$least" ] || [ -n "$stopped" ]; then
		grep -q "^$name|" "$KEPT/rows" || row "$name" 'no time was left' 0
		echo "== $name: no time is left" >&2
		return 1
	fi
	echo "== $name: at most $limit s" >&2
	touch "$KEPT/logs/$name.log"
	begun[$name]=$SECONDS spoken[$name]=$(wc -c <"$KEPT/logs/$name.log")
	GPU_ALL_PART=$name GPU_ALL_LIMIT=$limit timeout --kill-after=15 "$((limit + more))" bash "$ROOT/scripts/gpu-all.sh" >>"$KEPT/logs/$name.log" 2>&1 </dev/null &
	running[$name]=$!
}

running() { [ -n "${running[$1]:-}" ]; }
over() { ! running "$1" || ! kill -0 "${running[$1]}" 2>/dev/null; }

# finish NAME waits for a part, and notes what came of it.
finish() {
	local name=$1 code what took
	while :; do
		wait "${running[$name]}"
		code=$?
		kill -0 "${running[$name]}" 2>/dev/null || break # else a signal ended the wait
	done
	unset "running[$name]"
	took=$((SECONDS - begun[$name]))
	tail -c "+$((spoken[$name] + 1))" "$KEPT/logs/$name.log" >"$KEPT/said"
	grep -E '^(Stheno|PyTorch|JAX) ([a-z-]+ )?[a-z0-9-]+:[0-9]+:[0-9]+:[a-z]+:[a-z0-9]+ ' "$KEPT/said" >>"$KEPT/speeds"
	grep -E ' is not taken for | tried for |measured those of ' "$KEPT/said" >>"$KEPT/alternatives.txt"
	what=$(sed -n 's/^result: //p' "$KEPT/said" | tail -n 1)
	case $code in
	0) what="done${what:+: $what}" ;;
	75) what="not all: ${what:-goes on with the next call}" ;;
	77) what="cannot be done here${what:+: $what}" ;;
	124 | 137 | 143) what="not done in $took s${what:+: $what}" ;;
	*) what="**failed**${what:+: $what}" ;;
	esac
	case $code in 75 | 124 | 137 | 143) ;; *) is_done "$name" || echo "$name" >>"$KEPT/done" ;; esac
	row "$name" "$what" "$took"
	echo "   $name: $what; $took s" >&2
	gather
}

alone() { if begin "$1"; then finish "$1"; fi; }

# together SECONDS NAME… runs parts at the same time, until those are over for which "enough" waits, or the time is.
together() {
	local until=$((SECONDS + $1)) seconds=$1 name list=()
	[ "$until" -le "$deadline" ] || until=$deadline
	shift
	for name; do if begin "$name" "$seconds" 12; then list+=("$name"); fi; done
	[ ${#list[@]} -gt 0 ] || return
	while sleep 0.5 && [ "$SECONDS" -lt "$until" ] && [ -z "$stopped" ] && ! enough; do
		for name in "${list[@]}"; do if running "$name" && over "$name"; then finish "$name"; fi; done
	done
	for name in "${list[@]}"; do if running "$name"; then end "$name"; fi; done
	for name in "${list[@]}"; do if running "$name"; then finish "$name"; fi; done
}

# speeds is a table of what gpu-bench.sh printed; of a case the last counts.
speeds() {
	awk '
	$NF == "images/s" {
		c = $(NF - 2); who = $1; for (i = 2; i < NF - 2; i++) who = who " " $i
		if (!(c in known)) { known[c] = 1; order[++n] = c }
		v[c, who] = $(NF - 1)
	}
	END {
		if (!n) exit
		split("Stheno|PyTorch eager|PyTorch compile|PyTorch reduce-overhead|PyTorch max-autotune|JAX jit", w, "|")
		print "| images/s | Stheno | eager | compile | reduce-overhead | max-autotune | JAX | ÷ eager | ÷ best compiled |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|"
		for (k = 1; k <= n; k++) {
			c = order[k]; line = "| " c; best = 0
			for (i = 1; i <= 6; i++) { x = v[c, w[i]]; line = line " | " (x == "" ? "–" : x); if (i >= 3 && i <= 5 && x + 0 > best) best = x + 0 }
			us = v[c, w[1]]; eager = v[c, w[2]]
			print line " | " (us && eager ? sprintf("%.2f", us / eager) : "–") " | " (us && best ? sprintf("%.2f", us / best) : "–") " |"
		}
	}' "$KEPT/speeds"
}

# gather writes into OUT what there is.
gather() {
	local name open
	rm -f "$OUT/results.json"
	if compgen -G "$KEPT/results/*.json" >/dev/null; then cat "$KEPT"/results/*.json >"$OUT/results.json"; fi
	cp "$KEPT/alternatives.txt" "$KEPT/profile.txt" "$OUT"
	tar -czf "$OUT/logs.tar.gz" -C "$KEPT" --exclude=./cache --exclude=./programs --exclude=./out --exclude=./prepared . 2>/dev/null
	open=$(while read -r name _; do is_done "$name" || printf '%s ' "$name"; done <<<"$PARTS")
	{
		echo "# On $gpu"
		echo
		echo "\`scripts/gpu-all.sh\`, commit $(cat .build/gpu/commit 2>/dev/null || echo unknown), $(date -u +'%Y-%m-%d %H:%M') UTC, after $SECONDS of $BUDGET s."
		[ -z "$SIM" ] || echo 'On the simulated GPU: this shows that the script works, and nothing of a GPU.'
		echo "Not done: ${open:-nothing}"
		echo
		echo '| part | result | seconds |'
		echo '|---|---|--:|'
		while read -r name _; do sed -n "/^$name|/{s/|/ | /g;s/.*/| & |/p}" "$KEPT/rows"; done <<<"$PARTS"
		if [ -s "$KEPT/check/tests/results" ]; then
			printf '\n## Tests\n\n'
			awk -F'|' '{ last[$1 "|" $2] = $0 }
				END {
					for (t in last) {
						split(last[t], f, "|"); n++
						if (f[3] == "pass") p++; else if (f[3] == "skip") s++; else if (f[3] == "no time was left") open = open " " f[2]; else print "- " f[2] ": " f[3]
					}
					if (open) print "- no time was left:" substr(open, 1, 1500)
					printf "%d of %d passed, %d are not for this GPU\n", p, n, s
				}' "$KEPT/check/tests/results" | sort
		fi
		printf '\n## Speed\n\n'
		speeds
		if grep -q 'is not taken for' "$KEPT/alternatives.txt"; then
			printf '\n## Ways with other results\n\n'
			grep -h 'is not taken for' "$KEPT/alternatives.txt" | sort -u | cut -c 1-300 | sed 's/^/- /' | head -n 10
		fi
	} >"$KEPT/summary.md"
	cp "$KEPT/summary.md" "$OUT"
}

warm() { grep -qx goals "$KEPT/warm" 2>/dev/null; } # of PyTorch is compiled what the goals need
enough() { over tests && { over compile || warm; }; }
BESIDE=${BESIDE:-$((BUDGET * 2 / 5 < 200 ? BUDGET * 2 / 5 : 200))}
if wanted tests || { wanted compile && ! warm; }; then together "$BESIDE" tests compile prepare races; fi
mkdir -p "$KEPT/cache/stheno/cuda" # the tests' kernels do for others, too; ways, a folder, do not
cp -n "$KEPT"/cache/tests/stheno/cuda/* "$KEPT/cache/stheno/cuda" 2>/dev/null
for name in memory goals kernels; do alone "$name"; done
enough() { over races && { [ -z "${ONLY:-}" ] || { over compile && over prepare; }; }; } # PyTorch compiles as well when it is timed
if [ -n "${ONLY:-}" ]; then
	together 75 races compile prepare
elif wanted races; then
	together 75 races compile
fi
while read -r name _; do
	case $name in tests | compile | prepare | races | memory | goals | kernels) ;; *) alone "$name" ;; esac
done < <(echo "$PARTS")
gather
cat "$OUT/summary.md"
[ -z "$stopped" ] || exit 143
! grep -qE '\*\*(failed|errors)\*\*|[1-9][0-9]* failed' "$KEPT/rows"
