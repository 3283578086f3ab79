#!/bin/sh
# Lists 1,000 allocations on a machine with 300 more processes, 50 of which listen on allocated ports,
# against 'ss -ltnp' and 'lsof', which name listeners and their processes too. Prints the median time of each
# and the ratio to git-port's.
#
#     cargo build --release && benches/list.sh [program] [rounds]
set -eu

program=${1:-target/release/git-port}
rounds=${2:-21}
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
while [ "$i" -lt 1000 ]; do
    i=$((i + 1))
    services="$services s$i"
done
# shellcheck disable=SC2086
"$program" -q allocate $services --project bench >/dev/null

# Servers on the first ports, and processes that merely are there.
ports=$("$program" --json list --all | tr ',{' '\n\n' | sed -n 's/^"port":\([0-9]*\)$/\1/p' | head -50)
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

# Each command in turn, so that a busy machine is busy for all of them.
# shellcheck disable=SC2016 # perl's own
ROUNDS=$rounds PROGRAM=$program perl -MTime::HiRes=time -e '
    my %commands = (
        "git-port list --all"      => "$ENV{PROGRAM} list --all",
        "git-port list, no process" => "$ENV{PROGRAM} list --project none",
        "ss -ltnp"                 => "ss -ltnp",
        "lsof -iTCP -sTCP:LISTEN"  => "lsof -nP -iTCP -sTCP:LISTEN",
        "true"                     => "true",
    );
    my @order = ("git-port list --all", "git-port list, no process", "ss -ltnp", "lsof -iTCP -sTCP:LISTEN", "true");
    my %times;
    for my $round (1 .. $ENV{ROUNDS}) {
        for my $name (@order) {
            my $words = $commands{$name};
            my ($first) = split / /, $words;
            next if $first !~ m{/} && system("command -v $first >/dev/null 2>&1");
            my $begun = time;
            my $pid = fork // die;
            if (!$pid) { open STDOUT, ">", "/dev/null"; open STDERR, ">", "/dev/null"; exec split / /, $words }
            waitpid $pid, 0;
            push @{$times{$name}}, (time - $begun) * 1000;
        }
    }
    my $median = sub { my @sorted = sort { $a <=> $b } @{$_[0]}; $sorted[@sorted / 2] };
    my $ours = $median->($times{"git-port list --all"});
    printf "%-28s %9s %7s\n", "command", "median ms", "ratio";
    for my $name (@order) {
        if ($times{$name}) { my $t = $median->($times{$name}); printf "%-28s %9.2f %7.2f\n", $name, $t, $t / $ours }
        else { printf "%-28s %9s\n", $name, "missing" }
    }
'
