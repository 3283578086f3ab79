#!/bin/sh
# Builds git-port and installs it for one user: the program, its manual pages, its completions.
set -eu

usage() {
    cat <<'END'
usage: ./install.sh [--no-build]
       ./install.sh --uninstall

    --no-build    install target/release/git-port as it is
    --uninstall   remove what was installed, and nothing else
    -h, --help    show this

    PREFIX        where to, as an absolute path [default: ~/.local]
    DESTDIR       put in front of PREFIX, to make a package
END
}

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

build=yes
uninstall=no
for argument; do
    case $argument in
    --no-build) build=no ;;
    --uninstall) uninstall=yes ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        printf "error: unknown argument '%s'\n" "$argument" >&2
        usage >&2
        exit 2
        ;;
    esac
done

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
[ -n "${PREFIX:-}${HOME:-}" ] || fail "neither PREFIX nor HOME is set"
prefix=${PREFIX:-${HOME:-}/.local}
case $prefix in
/*) ;;
*) fail "PREFIX must be an absolute path, not '$prefix'" ;;
esac
prefix=${prefix%/}
destination=${DESTDIR:-}$prefix
# What was installed, a line each: 'file' or 'folder', and the path below the prefix. With it an update
# removes the files that the new version no longer has, and --uninstall the folders that were not there.
manifest=share/git-port/installed

# Removes the files and then the folders of the manifest. Of the folders only those that are empty.
remove_installed() {
    while read -r kind path; do
        if [ "$kind" = file ]; then
            rm -f -- "$destination/$path"
        fi
    done <"$destination/$manifest"
    folders=$(sed -n 's/^folder //p' "$destination/$manifest" | LC_ALL=C sort -r)
    rm -f -- "$destination/$manifest"
    printf '%s\n' "$folders" | while read -r path; do
        # Of the prefix itself ('.') the name alone can be removed.
        rmdir -- "$destination/${path#.}" 2>/dev/null || :
    done
}

if [ "$uninstall" = yes ]; then
    if [ -f "$destination/$manifest" ]; then
        remove_installed
        echo "Removed git-port from $destination"
    else
        echo "git-port is not installed in $destination"
    fi
    exit 0
fi

# The tests install a program that is built already.
program=${GIT_PORT_BINARY:-}
if [ -z "$program" ]; then
    program=${CARGO_TARGET_DIR:-$root/target}/release/git-port
    if [ "$build" = yes ]; then
        command -v cargo >/dev/null 2>&1 || fail "cargo is needed to build: install Rust 1.95 or newer"
        (cd "$root" && cargo build --release --locked)
    fi
fi
[ -x "$program" ] || fail "there is no program '$program': leave out --no-build to build it"

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# Everything that may fail for another reason than the disk happens before anything is changed.
"$program" --quiet man --dir "$scratch/man"
"$program" completions bash >"$scratch/bash"
"$program" completions zsh >"$scratch/zsh"
"$program" completions fish >"$scratch/fish"

if [ -f "$destination/$manifest" ]; then
    # The folders that an earlier installation made are ours still.
    sed -n '/^folder /p' "$destination/$manifest" >"$scratch/installed"
    sed -n 's/^file //p' "$destination/$manifest" >"$scratch/before"
else
    : >"$scratch/installed"
    : >"$scratch/before"
fi

# Makes a folder below the prefix, and notes those that were missing.
make_folder() {
    if [ ! -d "$destination/$1" ]; then
        case $1 in
        */*) make_folder "${1%/*}" ;;
        .) ;;
        *) make_folder . ;;
        esac
        mkdir -p -- "$destination/$1"
        echo "folder $1" >>"$scratch/installed"
    fi
}

# install_file <mode> <from> <to>: to a path below the prefix, in one step, so that a program that runs
# goes on running.
install_file() {
    folder=${3%/*}
    make_folder "$folder"
    cp -- "$2" "$destination/$folder/.git-port-new"
    chmod "$1" "$destination/$folder/.git-port-new"
    mv -f -- "$destination/$folder/.git-port-new" "$destination/$3"
    echo "file $3" >>"$scratch/installed"
}

install_file 755 "$program" bin/git-port
for page in "$scratch"/man/*.1; do
    install_file 644 "$page" "share/man/man1/${page##*/}"
done
install_file 644 "$scratch/bash" share/bash-completion/completions/git-port
install_file 644 "$scratch/zsh" share/zsh/site-functions/_git-port
install_file 644 "$scratch/fish" share/fish/vendor_completions.d/git-port.fish
# fish looks for completions by the name of the program, so those of 'git port' must be there before
# 'git' is completed (fish 3.6 does not ask for them).
install_file 644 "$scratch/fish" share/fish/vendor_conf.d/git-port.fish

# Files of an earlier version that this one does not have.
while read -r path; do
    grep -qxF "file $path" "$scratch/installed" || rm -f -- "$destination/$path"
done <"$scratch/before"
make_folder "${manifest%/*}"
cp -- "$scratch/installed" "$destination/$manifest"

echo "Installed $("$program" --version) in $destination"
[ -z "${DESTDIR:-}" ] || exit 0

case :${PATH:-}: in
*":$prefix/bin:"*) ;;
*)
    echo
    echo "Add the program to your PATH:"
    echo "    export PATH=\"$prefix/bin:\$PATH\""
    ;;
esac
if command -v man >/dev/null 2>&1 && ! PATH="$prefix/bin:$PATH" man -w git-port >/dev/null 2>&1; then
    echo
    echo "For 'git help port', add the manual pages:"
    echo "    export MANPATH=\"$prefix/share/man:\$MANPATH\""
fi
case :${XDG_DATA_HOME:-${HOME:-}/.local/share}:${XDG_DATA_DIRS:-/usr/local/share:/usr/share}: in
*":$prefix/share:"*) ;;
*)
    echo
    echo "For completions in bash and fish:"
    echo "    export XDG_DATA_DIRS=\"$prefix/share:\${XDG_DATA_DIRS:-/usr/local/share:/usr/share}\""
    ;;
esac
# shellcheck disable=SC2016
if command -v zsh >/dev/null 2>&1 &&
    ! zsh -f -c 'print -l -- $fpath' | grep -qxF "$prefix/share/zsh/site-functions"; then
    echo
    echo "For completions in zsh, before compinit in ~/.zshrc:"
    echo "    fpath=(\"$prefix/share/zsh/site-functions\" \$fpath)"
fi
