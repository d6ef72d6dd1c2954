#!/usr/bin/env bash
# Names the tests of the CUDA engine that are new or were changed since a commit, a line each: gpu-changed.sh COMMIT
#
# "make gpu-bins SINCE=COMMIT" leaves them in .build/gpu/first, and the other scripts run them first.
set -euo pipefail
case ${1:-} in -h | --help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" && exit ;; esac
if [ $# -ne 1 ]; then
	echo 'gpu-changed: it wants one commit, such as the one that was checked the last time: gpu-changed.sh 37bade3' >&2
	exit 2
fi
cd "$(dirname "$0")/.."
# The head of a hunk names the function that it lies in.
git diff --unified=0 "$1" -- ':(glob)cuda/*_test.go' ':(glob)cuda/internal/cudnn/*_test.go' ':(glob)train/*gpu*_test.go' |
	sed -nE 's/^(\+|@@ .* @@ )func (Test[A-Za-z0-9_]+)\(.*/\2/p' | awk '!seen[$0]++'
