#!/bin/sh
# What commands cost as the registry grows: with 10, 1,000, 10,000 and 60,000 allocations, the processor time of
# a whole process and, where valgrind is there, the instructions it takes, in millions.
#
#     cargo build --release && benches/growth.sh [program] [rounds] [count]...
set -eu

program=${1:-target/release/git-port}
rounds=${2:-11}
here=$(cd "$(dirname "$0")" && pwd)
case $program in */*) program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program") ;; esac
if [ $# -gt 2 ]; then shift 2; else set -- 10 1000 10000 60000; fi

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
cd "$home"
export HOME="$home" XDG_STATE_HOME="$home/state" XDG_CONFIG_HOME="$home/config" ROUNDS="$rounds"
# One range for nearly every port there is.
export GIT_PORT_RANGES_DEV=2000-65535 GIT_PORT_RANGES_TEST=1900-1901 GIT_PORT_RANGES_PRODUCTION=1902-1903
export GIT_PORT_ALLOCATION_RESERVED=

instructions() {
    command -v valgrind >/dev/null 2>&1 || { echo -; return; }
    # shellcheck disable=SC2086 # the words of a command
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" $1 2>&1 >/dev/null |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p' | awk '{ printf "%.1f", $1 / 1e6 }'
}

printf '%10s %-34s %12s %12s\n' allocations command 'cpu ms' 'Minstr'
there=0
for count in "$@"; do
    # A project for each 500, as many as a busy machine might have.
    while [ "$there" -lt "$count" ]; do
        step=$((count - there))
        if [ "$step" -gt 500 ]; then step=500; fi
        # The first is small in every run.
        if [ "$there" = 0 ] && [ "$step" -gt 10 ]; then step=10; fi
        # shellcheck disable=SC2046 # names
        "$program" -q allocate $(seq -f 's%.0f' 1 "$step") --project "bench$there" >/dev/null
        there=$((there + step))
    done
    for command in "allocate x{n} --project more$count" "get bench0/s5" "check 1999" "list --project bench0" \
        "list --all" "stats" "cleanup --dry-run" "cleanup"; do
        ms=$(printf 'x\t%s\t%s\n' "$home" "$program $command" | "$here/interleave.py" | awk 'NR == 2 { print $3 }')
        plain=$(echo "$command" | sed 's/{n}/counted/')
        printf '%10s %-34s %12s %12s\n' "$count" "$(echo "$command" | sed 's/{n}//')" "$ms" "$(instructions "$plain")"
    done
done
