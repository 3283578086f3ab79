#!/usr/bin/env bash
# Lets 200 worktrees, 8 writers and the watcher live together for a while, and looks whether anything grows.
#
# Prints the watcher's memory, open files and watches and the size of the log and the registry each
# minute. Ends with 1 if one of them grew, a command failed, or a worktree lost its port.
set -euo pipefail
cd "$(dirname "$0")/.."

usage='usage: tests/soak.sh [<minutes>]

GIT_PORT_TEST_PROGRAM names the program; without it, a release build is made.'
minutes=30
for argument; do
    case $argument in
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    '' | *[!0-9]*)
        printf "error: '%s' is no number of minutes\n%s\n" "$argument" "$usage" >&2
        exit 2
        ;;
    *) minutes=$argument ;;
    esac
done
worktrees=${GIT_PORT_TEST_WORKTREES:-200}
writers=8

program=${GIT_PORT_TEST_PROGRAM:-}
if [ -z "$program" ]; then
    cargo build --locked --release
    program=$PWD/target/release/git-port
fi

# Nothing of the user's is in the environment of what follows.
base=$(mktemp -d)
base=$(cd "$base" && pwd -P)
mkdir "$base/home" "$base/shop" "$base/counts" "$base/bin"
ln -s "$program" "$base/bin/git-port"
for name in $(compgen -e); do
    case $name in
    PATH | LANG | TERM) ;;
    *) unset "$name" ;;
    esac
done
export HOME=$base/home USER=tester LC_ALL=C.UTF-8 GIT_CONFIG_NOSYSTEM=1 PATH=$base/bin:$PATH
export GIT_PORT_RANGES_DEV=25000-26999 GIT_PORT_CLEANUP_INTERVAL=1m
registry=$HOME/.local/state/git-port/registry.db
git config --global user.name 'A Tester'
git config --global user.email tester@example.org
git config --global init.defaultBranch main

started=()
# shellcheck disable=SC2317 # the trap calls it
finish() {
    touch "$base/stop"
    local pid
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    wait
    rm -rf "$base"
}
trap finish EXIT

cd "$base/shop"
git init --quiet
printf '[services.web]\n[services.api]\n' >.git-port.toml
git add .
git commit --quiet -m first
echo "making $worktrees worktrees"
for ((index = 1; index <= worktrees; index++)); do
    git-port --quiet worktree create "w$index" >/dev/null 2>&1
done

ports() {
    git-port --json list --all | python3 -c '
import json, sys
live = json.load(sys.stdin)["allocations"]
numbers = [one["port"] for one in live]
assert len(numbers) == len(set(numbers)), "a port has two owners"
for one in live:
    if one["service"] in ("web", "api") and "/shop-w" in (one["worktree"] or ""):
        print(one["port"], one["service"], one["worktree"])
' | sort
}
ports >"$base/before"

git-port watch >"$base/watch.log" 2>&1 &
watcher=$!
started+=("$watcher")

# Does one thing after the other until it is told to stop, and counts them.
writer() {
    local name=$1 done_=0 failed=0 tree words
    RANDOM=$name
    while [ ! -e "$base/stop" ]; do
        tree=$base/shop-w$((RANDOM % worktrees + 1))
        case $((RANDOM % 8)) in
        0) words="-C $tree allocate extra$name" ;;
        1) words="-C $tree get web" ;;
        2) words="-C $tree env" ;;
        3) words="-C $base/shop allocate moving$name --new" ;;
        4) words="-C $base/shop worktree create t$name" ;;
        5) words="-C $base/shop list" ;;
        6) words="-C $base/shop cleanup" ;;
        7) words="-C $tree allocate extra$name" ;;
        esac
        # shellcheck disable=SC2086 # they are words
        git-port $words >/dev/null 2>"$base/counts/error-$name" || {
            failed=$((failed + 1))
            { echo "git-port $words"; cat "$base/counts/error-$name"; } >>"$base/counts/errors"
        }
        done_=$((done_ + 1))
        # What was made is taken back, so that only what is forgotten can grow.
        case $words in
        *"allocate extra"*) git-port -C "$tree" release "extra$name" ;;
        *"worktree create"*) git-port -C "$base/shop" worktree remove --force --delete-branch "t$name" ;;
        esac >/dev/null 2>"$base/counts/error-$name" || {
            failed=$((failed + 1))
            { echo "taking back: git-port $words"; cat "$base/counts/error-$name"; } >>"$base/counts/errors"
        }
        echo "$done_ $failed" >"$base/counts/$name"
        sleep 0.3
    done
}
for ((index = 1; index <= writers; index++)); do
    writer "$index" &
    started+=("$!")
done

size() {
    stat -c %s "$1" 2>/dev/null || echo 0
}

measure() {
    local memory files watches
    memory=$(awk '/^VmRSS:/ { print $2 }' "/proc/$watcher/status")
    files=$(find "/proc/$watcher/fd" -mindepth 1 | wc -l)
    watches=$(cat "/proc/$watcher"/fdinfo/* 2>/dev/null | grep -c '^inotify' || true)
    echo "$memory $files $watches $(size "$registry-wal") $(size "$registry")"
}

printf '%6s %10s %6s %8s %10s %10s %9s %7s\n' minute memory-kB files watches log-B registry-B commands failed
for ((minute = 1; minute <= minutes; minute++)); do
    sleep 60
    if ! kill -0 "$watcher" 2>/dev/null; then
        echo "the watcher ended:" >&2
        tail -n 20 "$base/watch.log" >&2
        exit 1
    fi
    read -r memory files watches log database <<<"$(measure)"
    echo "$memory $files $watches $log $database" >>"$base/measured"
    read -r commands failed <<<"$(cat "$base/counts"/[0-9]* | awk '{ c += $1; f += $2 } END { print c + 0, f + 0 }')"
    printf '%6d %10d %6d %8d %10d %10d %9d %7d\n' \
        "$minute" "$memory" "$files" "$watches" "$log" "$database" "$commands" "$failed"
done

touch "$base/stop"
for pid in "${started[@]}"; do
    [ "$pid" = "$watcher" ] || wait "$pid" || true
done
wrong=0
complain() {
    echo "$1" >&2
    wrong=1
}
if [ -s "$base/counts/errors" ]; then
    complain "commands failed:"
    head -n 40 "$base/counts/errors" >&2
fi
ports >"$base/after"
cmp -s "$base/before" "$base/after" || complain "worktrees changed their ports: $(diff "$base/before" "$base/after" | head -n 10)"
integrity=$(python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("PRAGMA integrity_check").fetchone()[0])' "$registry")
[ "$integrity" = ok ] || complain "the registry is damaged: $integrity"
# The first minutes are warming up; a sawtooth is no growth, so the least of the last third is compared
# with the most of the first.
python3 - "$base/measured" <<'PYTHON' || wrong=1
import sys
rows = [list(map(int, line.split())) for line in open(sys.argv[1])]
third = max(1, len(rows) // 3)
names = ["memory (kB)", "files", "watches", "log (bytes)"]
allowed = [4096, 2, 16, 1 << 20]
wrong = False
for column, (name, room) in enumerate(zip(names, allowed)):
    first, last = max(row[column] for row in rows[:third]), min(row[column] for row in rows[-third:])
    if last > first + room:
        wrong = True
        print(f"{name} grew from {first} to {last}", file=sys.stderr)
if max(row[3] for row in rows) > 16 << 20:
    wrong = True
    print("the log grew beyond 16 MiB", file=sys.stderr)
sys.exit(wrong)
PYTHON
[ "$wrong" = 0 ] && echo "nothing grew, nothing was lost"
exit "$wrong"
