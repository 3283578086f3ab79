#!/bin/sh
# Checks the code for other systems than this one: that it compiles, not that it works, for nothing is run there.
# Nothing is linked either, so a compiler that makes nothing of C stands in for theirs.
#
#     rustup target add aarch64-apple-darwin x86_64-pc-windows-gnu x86_64-unknown-freebsd
#     tests/platforms.sh [target]...
#
# Without arguments: all of these that rustup has.
set -eu
cd "$(dirname "$0")/.."

if [ $# = 0 ]; then
    # shellcheck disable=SC2046 # names without blanks
    set -- $(rustup target list --installed | grep -v linux)
fi
[ $# -gt 0 ] || {
    echo "no other target is installed: see the head of this script" >&2
    exit 1
}

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
cat >"$tools/cc" <<'END'
#!/bin/sh
out=
while [ $# -gt 0 ]; do
    case $1 in
    -o) out=$2 && shift ;;
    # What the file says is asked to find out which compiler this is.
    -E) exec cc "$@" ;;
    esac
    shift
done
[ -z "$out" ] || : >"$out"
END
cat >"$tools/ar" <<'END'
#!/bin/sh
for word; do case $word in *.a | *.lib) : >"$word" ;; esac done
END
chmod +x "$tools/cc" "$tools/ar"

for target; do
    name=$(echo "$target" | tr - _)
    echo "== $target"
    env "CC_$name=$tools/cc" "AR_$name=$tools/ar" RUSTFLAGS="-D warnings" \
        cargo check --locked --target "$target" --target-dir target/platforms
done
