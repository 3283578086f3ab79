#!/bin/sh
# Lists 1,000 allocations, or as many, on a machine with 300 more processes, 50 of which listen on allocated ports,
# against 'ss -ltnp' and 'lsof', which name listeners and their processes too. Prints the median time of each
# and the ratio to git-port's.
#
#     cargo build --release && benches/list.sh [program] [rounds] [allocations]
set -eu

program=${1:-target/release/git-port}
rounds=${2:-21}
allocations=${3:-1000}
here=$(cd "$(dirname "$0")" && pwd)
case $program in */*) program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program") ;; esac

home=$(mktemp -d)
started=
# shellcheck disable=SC2086 # a list of numbers
trap 'kill $started 2>/dev/null || :; rm -rf "$home"' EXIT
cd "$home"
export HOME="$home" XDG_STATE_HOME="$home/state" XDG_CONFIG_HOME="$home/config"
export GIT_PORT_RANGES_DEV=20000-23999

i=0
services=
while [ "$i" -lt "$allocations" ]; do
    i=$((i + 1))
    services="$services s$i"
done
# shellcheck disable=SC2086
"$program" -q allocate $services --project bench >/dev/null

# Servers on the first ports, and processes that merely are there.
ports=$("$program" --json list --all | tr ',' '\n' | tr '{' '\n' | sed -n 's/^"port":\([0-9]*\)$/\1/p' | head -50)
for port in $ports; do
    perl -MIO::Socket::INET -e '
        my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => $ARGV[0]) or die;
        sleep 600' "$port" &
    started="$started $!"
done
i=0
while [ "$i" -lt 250 ]; do
    i=$((i + 1))
    sleep 600 &
    started="$started $!"
done
sleep 1

{
    printf '%s\t%s\t%s\n' true "$home" true
    printf '%s\t%s\t%s\n' git-port "$home" "$program list --all"
    printf '%s\t%s\t%s\n' "git-port list, no process" "$home" "$program list --project none"
    printf '%s\t%s\t%s\n' "ss -ltnp" "$home" "ss -ltnp"
    printf '%s\t%s\t%s\n' "lsof -iTCP -sTCP:LISTEN" "$home" "lsof -nP -iTCP -sTCP:LISTEN"
} | ROUNDS=$rounds PIVOT=git-port "$here/interleave.py"
