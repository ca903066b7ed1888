#!/usr/bin/env bash
# Instructions of one delivery without the system call, by callgrind: the difference of two runs that differ in the
# number of bursts alone, so that starting up does not count.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo 'benches/instructions.sh: valgrind is missing (Debian: apt-get install valgrind)' >&2; exit 1; }
program=$(cargo bench --bench cost --no-run 2>&1 | sed -n 's/.*(\(.*\)).*/\1/p' | tail -n 1)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

instructions() { # instructions MODE ENCODING TICKS BURSTS
    valgrind --tool=callgrind --callgrind-out-file="$out/callgrind" "$program" "$1" "$2" "$3" "$4" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

each() { # each MODE ENCODING TICKS: 50 bursts of TICKS ticks to 100 clients each
    echo $((($(instructions "$1" "$2" "$3" 100) - $(instructions "$1" "$2" "$3" 50)) / (50 * $3 * 100)))
}

printf '| delivery | of 10 ticks at a time | of 100 ticks at a time |\n| --- | --- | --- |\n'
for mode in stream merge; do
    for encoding in json msgpack; do
        printf '| %s, %s | %d | %d |\n' "$mode" "$encoding" "$(each $mode $encoding 10)" "$(each $mode $encoding 100)"
    done
done
