#!/usr/bin/env bash
# Instructions of one delivery without the system call, by callgrind: the difference of two runs that differ in the
# number of bursts alone, so that starting up does not count.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo 'benches/instructions.sh: valgrind is missing (Debian: apt-get install valgrind)' >&2; exit 1; }
program=$(cargo bench --bench cost --no-run 2>&1 | sed -n 's/.*(\(.*\)).*/\1/p' | tail -n 1)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

instructions() { # instructions MODE ENCODING BURSTS
    valgrind --tool=callgrind --callgrind-out-file="$out/callgrind" "$program" "$1" "$2" "$3" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

printf '| delivery | instructions |\n| --- | --- |\n'
for mode in stream merge; do
    for encoding in json msgpack; do
        few=$(instructions "$mode" "$encoding" 100)
        many=$(instructions "$mode" "$encoding" 300)
        # 200 bursts of 10 ticks to 100 clients each.
        printf '| %s, %s | %d |\n' "$mode" "$encoding" $(((many - few) / 200000))
    done
done
