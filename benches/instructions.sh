#!/bin/sh
# Counts the instructions that commands take, under valgrind, and compares them with benches/instructions.txt:
# unlike times they are the same on a busy machine. Ends with 1 if one has become more than 5 % worse.
#
#     cargo build --release && benches/instructions.sh [--update] [program]
#
# The counts hold for one compiler and one C library; another of either may move all of them. --update writes
# them anew, and the commit that has the new file says why.
set -eu

update=no
if [ "${1-}" = --update ]; then
    update=yes
    shift
fi
program=${1:-target/release/git-port}
here=$(cd "$(dirname "$0")" && pwd)
baseline=$here/instructions.txt
case $program in */*) program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program") ;; esac

# Paths have the same length everywhere, and so do the variables.
home=/tmp/git-port-instructions
rm -rf "$home"
mkdir "$home"
trap 'rm -rf "$home"' EXIT
cd "$home"
git=$(dirname "$(command -v git)")
valgrind=$(dirname "$(command -v valgrind)")
count() {
    dir=$1
    shift
    (cd "$dir" && env -i HOME="$home" PATH="$git:$valgrind:/usr/bin:/bin" USER=bench GIT_PORT_HOST=bench \
        valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$@" 2>&1 >/dev/null) |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
plain() {
    env -i HOME="$home" PATH="$git:/usr/bin:/bin" USER=bench GIT_PORT_HOST=bench "$@"
}

plain git config --global user.name bench
plain git config --global user.email bench@example.org
plain git init --quiet shop
plain git -C shop commit --quiet --allow-empty -m first
commit=$(plain git -C shop rev-parse HEAD)
zeros=$(printf '%040d' 0)
plain "$program" -C shop allocate web api >/dev/null
# shellcheck disable=SC2046 # names
plain "$program" -q allocate $(seq -f 's%.0f' 1 300) --project many >/dev/null
sleep 4
plain "$program" -C shop get >/dev/null

{
    printf '%s\t%s\n' "start and help" "$(count shop -V)"
    printf '%s\t%s\n' "hook, nothing to do" "$(count shop hook post-checkout "$zeros" "$commit" 1)"
    printf '%s\t%s\n' "get" "$(count shop get)"
    printf '%s\t%s\n' "env" "$(count shop env)"
    printf '%s\t%s\n' "get --json" "$(count shop get --json)"
    printf '%s\t%s\n' "allocate" "$(count "$home" allocate new --project many)"
    printf '%s\t%s\n' "list" "$(count shop list)"
    printf '%s\t%s\n' "list --all (303)" "$(count shop list --all)"
    printf '%s\t%s\n' "stats" "$(count shop stats)"
    printf '%s\t%s\n' "cleanup --dry-run" "$(count shop cleanup --dry-run)"
} >counted

if [ "$update" = yes ]; then
    {
        echo "# Instructions by benches/instructions.sh --update, $(uname -m), $(rustc --version 2>/dev/null | cut -d' ' -f1,2)"
        cat counted
    } >"$baseline"
    cat "$baseline"
    exit 0
fi
awk -F '\t' '
    NR == FNR { if (!/^#/) before[$1] = $2; next }
    {
        known = ($1 in before) && before[$1] > 0
        change = known ? ($2 / before[$1] - 1) * 100 : 0
        worse = change > 5
        bad += worse || !$2
        printf "%-24s %12d %12s %+7.1f %%%s\n", $1, $2, known ? before[$1] : "new", change, worse ? "  WORSE" : ""
    }
    END { exit bad > 0 }
' "$baseline" counted
