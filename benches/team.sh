#!/bin/sh
# Measures a registry in PostgreSQL, on a server of its own that syncs every commit to disk.
#
#     cargo build --release && benches/team.sh [program] [rows] [allocations of each client]
#
# First 64 clients at once, each allocating one port after the other from one range, beside pgbench with
# as many clients and a bare INSERT of a row with a unique key. Then allocate, list of a project and stats in
# a registry of a hundred rows, and in one of a million rows (or as many as are asked for) on 1,000 hosts.
set -eu

program=${1:-target/release/git-port}
rows=${2:-1000000}
each=${3:-20}
case $program in */*) program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program") ;; esac
bin=
for folder in /usr/lib/postgresql/*/bin; do
    if [ -x "$folder/initdb" ]; then bin=$folder; fi
done
: "${bin:?PostgreSQL is not installed}"

home=$(mktemp -d)
chmod 755 "$home"
# The server refuses to be root.
as() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi
}
if [ "$(id -u)" = 0 ]; then chown 65534:65534 "$home"; fi
trap 'as "$bin/pg_ctl" -D "$home/data" -m immediate stop >/dev/null 2>&1 || :; rm -rf "$home"' EXIT
cd "$home"
as "$bin/initdb" --no-locale --encoding=UTF8 --username=postgres -A trust -D data >/dev/null
as sh -c "cat >>data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$home'
max_connections = 200
shared_buffers = 256MB
END
as "$bin/pg_ctl" -D data -l log -w start >/dev/null

mkdir user
export HOME="$home/user" USER=bench GIT_PORT_RANGES_DEV=20000-31999
folder=$(printf %s "$home" | sed 's|/|%2F|g')
export GIT_PORT_REGISTRY="postgres://postgres@$folder/postgres"
export program

milliseconds() {
    perl -MTime::HiRes=time -e 'printf "%d\n", time * 1000'
}

sql() {
    "$bin/psql" -X -q -A -t -h "$home" -U postgres -c "$1" postgres
}

# Prints rate, median and 99th percentile of a file with a time in milliseconds on each line.
summary() {
    sort -n "$3" | awk -v name="$1" -v wall="$2" '
        { t[NR] = $1 }
        END {
            printf "%-28s %9.0f %9.1f %9.1f\n", name, NR * 1000 / wall, t[int((NR + 1) / 2)], t[int(NR * 0.99 + 0.99)]
        }'
}

clients=64
"$program" -q allocate first --project warm >/dev/null
mkdir told
begun=$(milliseconds)
n=0
while [ "$n" -lt "$clients" ]; do
    n=$((n + 1))
    # shellcheck disable=SC2016 # the script that is started has names of its own
    perl -MTime::HiRes=time -e '
        my ($n, $each) = @ARGV;
        open my $times, ">", "told/$n.times" or die;
        open my $ports, ">", "told/$n.ports" or die;
        for my $i (1 .. $each) {
            my $begun = time;
            my $answer = `"$ENV{program}" --json allocate s$i --project p$n 2>&1`;
            $? == 0 or do { print STDERR $answer; exit 1 };
            printf $times "%.3f\n", (time - $begun) * 1000;
            $answer =~ /"port":(\d+)/ and print $ports "$1\n";
        }' "$n" "$each" || echo "$n" >>failures &
done
wait
wall=$(($(milliseconds) - begun))
if [ -s failures ]; then
    echo "clients failed: $(tr '\n' ' ' <failures)" >&2
    exit 1
fi
different=$(cat told/*.ports | sort -u | wc -l)
if [ "$different" -ne $((clients * each)) ]; then
    echo "only $different of $((clients * each)) ports differ" >&2
    exit 1
fi
cat told/*.times >all.times
sql "CREATE TABLE bare (host INT, port BIGSERIAL, UNIQUE (host, port))"
as sh -c "echo 'INSERT INTO bare (host) VALUES (1);' >insert.sql"
# A connection for each, as a program that is started for each allocation makes one.
as "$bin/pgbench" -h "$home" -U postgres -n -C -c "$clients" -j 2 -t "$each" -f insert.sql -l --log-prefix=new postgres >/dev/null 2>&1
as "$bin/pgbench" -h "$home" -U postgres -n -c "$clients" -j 2 -t $((each * 10)) -f insert.sql -l --log-prefix=kept postgres >/dev/null 2>&1

# What pgbench notes of a transaction: client, number, microseconds, file, end in seconds, and in microseconds.
bare() {
    cat "$2".* | awk '{ print $3 / 1000 }' >bare.times
    wall=$(cat "$2".* | awk '{ end = $5 * 1000 + $6 / 1000; begin = end - $3 / 1000
        if (!first || begin < first) first = begin
        if (end > last) last = end }
        END { print last - first }')
    summary "$1" "$wall" bare.times
}
printf '%-28s %9s %9s %9s\n' "$clients clients" 'each s' 'p50 ms' 'p99 ms'
summary 'git port allocate' "$wall" all.times
bare 'INSERT, new connections' new
bare 'INSERT' kept

# Prints the median of 21 runs of each command.
latencies() {
    printf '%-28s' "$1"
    for words in 'allocate' 'list --project p1' 'stats'; do
        i=0
        : >one
        while [ "$i" -lt 21 ]; do
            i=$((i + 1))
            line=$words
            if [ "$words" = allocate ]; then line="allocate l$i --project $2"; fi
            # shellcheck disable=SC2086 # words
            perl -MTime::HiRes=time -e '
                my $begun = time;
                system("$ENV{program} --json @ARGV >/dev/null") == 0 or exit 1;
                printf "%.1f\n", (time - $begun) * 1000' $line >>one
        done
        printf '%12s' "$(sort -n one | sed -n 11p)"
    done
    echo
}
echo
sql "DELETE FROM git_port.allocations WHERE project <> 'p1'"
printf '%-28s%12s%12s%12s\n' 'median ms' allocate list stats
latencies "$(sql 'SELECT count(*) FROM git_port.allocations') allocations" before
sql "INSERT INTO git_port.allocations (host, owner, protocol, port, project, service, environment, is_primary,
        status, pinned, allocated_at)
    SELECT 'host' || n % 1000, 'user' || n % 300, 'tcp', 1024 + n / 1000, 'project' || n % 5000, 's' || n, 'dev',
        FALSE, 'allocated', FALSE, n FROM generate_series(0, $rows - 1) n"
sql 'VACUUM ANALYZE git_port.allocations'
latencies "$(sql 'SELECT count(*) FROM git_port.allocations') allocations" after
