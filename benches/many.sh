#!/bin/sh
# Starts 50 and 200 processes at once, each allocating a port for a project of its own, and as many that
# only append a line to a file. Prints the time of each and their ratio.
#
#     cargo build --release && benches/many.sh [program] [count]...
set -eu

program=${1:-target/release/git-port}
case $program in */*) program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program") ;; esac
if [ $# -gt 0 ]; then shift; fi
if [ $# -eq 0 ]; then set -- 50 200; fi

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
cd "$home"
export HOME="$home" XDG_STATE_HOME="$home/state" XDG_CONFIG_HOME="$home/config"
export GIT_PORT_RANGES_DEV=20000-29999

milliseconds() {
    # date(1) has no smaller unit than a second everywhere; perl is where git is.
    perl -MTime::HiRes=time -e 'printf "%d\n", time * 1000'
}

# Runs a shell command `count` times at once, with $n as its number, and prints how long all took.
at_once() {
    count=$1
    command=$2
    begun=$(milliseconds)
    n=0
    while [ "$n" -lt "$count" ]; do
        n=$((n + 1))
        export n
        sh -c "$command" &
    done
    wait
    echo $(($(milliseconds) - begun))
}

export program
printf '%10s %12s %10s %7s\n' processes 'allocate ms' 'append ms' ratio
for count in "$@"; do
    rm -rf "$home/state" "$home/told"
    mkdir "$home/told"
    base=$(at_once "$count" 'echo x >>file')
    # shellcheck disable=SC2016 # the shells that are started expand it
    taken=$(at_once "$count" '"$program" --json allocate web --project "p$n" >"told/$n" || echo "$n" >>failures')
    if [ -s failures ]; then
        cat failures told/* >&2
        exit 1
    fi
    different=$(cat told/* | grep -o '"port":[0-9]*' | sort -u | wc -l)
    if [ "$different" -ne "$count" ]; then
        echo "only $different of $count answers differ" >&2
        exit 1
    fi
    printf '%10s %12s %10s %7s\n' "$count" "$taken" "$base" \
        "$(awk -v taken="$taken" -v base="$base" 'BEGIN { printf "%.2f", taken / (base ? base : 1) }')"
done
