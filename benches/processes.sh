#!/bin/sh
# Times git-port as whole processes beside git itself, what a process costs at the least, and other tools that
# do a part of the same job, each in turn in the same run. What is not installed is left out: portool, wte
# (worktree-env), wt (worktrunk), mise, portless, and portpicker and get-port where python3 and node find them.
#
#     cargo build --release && benches/processes.sh [program] [rounds]
#
# Give PEERS as a list of folders to look for them in, NODE_PATH and PYTHON (a python3) for the libraries.
set -eu

program=${1:-target/release/git-port}
rounds=${2:-21}
here=$(cd "$(dirname "$0")" && pwd)
case $program in */*) program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program") ;; esac
python=${PYTHON:-python3}

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
cd "$home"
PATH=$(dirname "$program"):${PEERS:+$PEERS:}$PATH
export HOME="$home" XDG_STATE_HOME="$home/state" XDG_CONFIG_HOME="$home/config" PATH
export GIT_PORT_RANGES_DEV=20000-29999 ROUNDS="$rounds" PIVOT=git-port
unset GIT_DIR GIT_WORK_TREE
git config --global user.name bench
git config --global user.email bench@example.org
git config --global init.defaultBranch main

# repository <name> <files>: a repository with that many files of the sizes of sources, and two branches.
repository() {
    git init --quiet "$1"
    perl -e 'srand 1; my ($top, $count) = @ARGV; my @words = ("let ", "fn x(", ") {\n", "    ", "return;\n", "}\n", "// why\n");
        for my $i (1 .. $count) {
            my $dir = sprintf "%s/d%d", $top, $i % 50; mkdir $dir;
            open my $file, ">", "$dir/f$i.rs" or die; my $lines = 20 + int(rand 900);
            print $file $words[rand @words] for 1 .. $lines;
        }' "$1" "$2"
    git -C "$1" add .
    git -C "$1" commit --quiet -m first
    git -C "$1" branch other
}

heading() { printf '\n== %s\n' "$1"; }
has() { command -v "$1" >/dev/null 2>&1; }
time_all() { "$here/interleave.py"; }
row() { printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${4-}"; }

# What was allocated has rested for a while: see docs/design/copies-in-each-worktree.md.
rest() { sleep 4; git-port -C "$1" get >/dev/null; git-port -C "$1" env >/dev/null; }

repository shop 10
shop=$home/shop
git-port -C shop get >/dev/null
git-port -C shop allocate web >/dev/null
rest shop

heading "asking for the port of a worktree that has one"
{
    row true "$shop" true
    row git-port "$shop" "git-port get"
    row "git-port env" "$shop" "git-port env"
    row "git-port get --json (asks the registry)" "$shop" "git-port get --json"
    row "git rev-parse --show-toplevel" "$shop" "git rev-parse --show-toplevel"
    row "sh, sourcing .git-port.env" "$shop" "sh -c . ./.git-port.env"
    if has portool; then
        (cd shop && portool init && portool sync) >/dev/null 2>&1 || :
        row "portool ls" "$shop" "portool ls"
        row "portool exec true" "$shop" "portool exec -- true"
    fi
    if has mise; then row "mise env" "$shop" "mise env"; fi
    if has wte; then row "wte list" "$shop" "wte list"; fi
    if has portless; then row "portless get" "$shop" "portless get shop"; fi
    if "$python" -c 'import portpicker' 2>/dev/null; then
        echo 'import portpicker; print(portpicker.pick_unused_port())' >pick.py
        row "portpicker (any free port)" "$home" "$python pick.py"
    fi
    if has node; then
        echo 'import("get-port").then(async m => console.log(await m.default()))' >get.cjs
        if NODE_PATH=${NODE_PATH-} node get.cjs >/dev/null 2>&1; then row "get-port (any free port)" "$home" "node get.cjs"
        elif [ -n "${NODE_PATH-}" ]; then
            ln -sfn "$NODE_PATH" node_modules
            row "get-port (any free port)" "$home" "node get.cjs"
        fi
    fi
} | time_all

heading "a new allocation, on the disk"
{
    row "append a line and sync it (dd)" "$home" "dd if=/dev/zero of=$home/line bs=64 count=1 oflag=append conv=notrunc,fsync"
    row git-port "$home" "git-port allocate s{n} --project bench"
    row "git-port get in a worktree that has none" "$shop" "git-port get s{n}"
} | time_all

heading "git checkout between two branches: the hook has nothing to do"
for hook in none nothing git-port; do
    git clone --quiet shop "hook-$hook" 2>/dev/null
    git -C "hook-$hook" branch --quiet other
done
printf '#!/bin/sh\nexit 0\n' >hook-nothing/.git/hooks/post-checkout
chmod +x hook-nothing/.git/hooks/post-checkout
git-port -C hook-git-port hook install >/dev/null
git-port -C hook-git-port get >/dev/null
if has portool; then
    git clone --quiet shop hook-portool 2>/dev/null
    git -C hook-portool branch --quiet other
    (cd hook-portool && portool init && portool hook install) >/dev/null 2>&1 || :
fi
{
    row "no hook" "$home/hook-none" "git checkout --quiet other" "git checkout --quiet main"
    row "a hook that is 'exit 0'" "$home/hook-nothing" "git checkout --quiet other" "git checkout --quiet main"
    row git-port "$home/hook-git-port" "git checkout --quiet other" "git checkout --quiet main"
    if [ -x hook-portool/.git/hooks/post-checkout ]; then
        row "portool" "$home/hook-portool" "git checkout --quiet other" "git checkout --quiet main"
    fi
} | time_all

worktrees() {
    repository "$1" "$2"
    git-port -C "$1" get >/dev/null
    top=$home/$1
    heading "making a worktree of $2 files, with its port"
    {
        row "git worktree add" "$top" "git worktree add -q -b g{n} $home/trees/g{n}" "git worktree remove --force $home/trees/g{n}"
        row git-port "$top" "git-port -q worktree create p{n} $home/trees/p{n}" "git-port -q worktree remove --force $home/trees/p{n}"
        if has wt; then
            row "wt switch --create" "$top" "wt switch --no-cd --yes --create w{n}" "wt remove --yes --force -D w{n}"
        fi
    } | time_all
}
worktrees small 10
worktrees large 5000

heading "what there is, and what is left behind"
{
    row true "$shop" true
    row git-port "$shop" "git-port list"
    row "git-port list --all" "$shop" "git-port list --all"
    row "git-port cleanup --dry-run" "$shop" "git-port cleanup --dry-run"
    row "git worktree list" "$shop" "git worktree list"
    if has ss; then row "ss -ltnp" "$shop" "ss -ltnp"; fi
    if has portool; then row "portool ls --all" "$shop" "portool ls --all"; fi
} | time_all
