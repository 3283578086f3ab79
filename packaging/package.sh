#!/bin/sh
# Makes the packages of a release: an archive for any Linux of this machine's kind, and a Debian package.
set -eu

usage() {
    cat <<'END'
usage: packaging/package.sh [--no-build] archive|deb [<folder>]

    archive       git-port-<version>-<system>.tar.gz, to be unpacked into a prefix
    deb           git-port_<version>-1_<architecture>.deb
    <folder>      where to put it [default: target/package]
    --no-build    pack target/release/git-port as it is
    -h, --help    show this

Two runs on one commit make the same bytes. SOURCE_DATE_EPOCH is the time of all files [default: that of
the commit].
END
}

fail() {
    printf 'error: %s\n' "$1" >&2
    exit "${2:-1}"
}

build=
kind=
folder=
for argument; do
    case $argument in
    --no-build) build=--no-build ;;
    -h | --help)
        usage
        exit 0
        ;;
    -*) fail "unknown option '$argument'" 2 ;;
    *)
        if [ -z "$kind" ]; then
            kind=$argument
        elif [ -z "$folder" ]; then
            folder=$argument
        else
            fail "one argument too many: '$argument'" 2
        fi
        ;;
    esac
done
case $kind in
archive | deb) ;;
'') fail "what is to be made: archive or deb?" 2 ;;
*) fail "unknown kind of package '$kind': archive or deb" 2 ;;
esac

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
folder=${folder:-$root/target/package}
mkdir -p -- "$folder"
folder=$(CDPATH='' cd -- "$folder" && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
[ -n "$version" ] || fail "there is no version in Cargo.toml"
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
stage=$scratch/stage

# installed <prefix>: what install.sh installs, without its notes for --uninstall.
installed() {
    DESTDIR=$stage PREFIX=$1 "$root/install.sh" $build >"$scratch/log" || fail "$(cat "$scratch/log")"
    rm -r -- "$stage$1/share/git-port"
    strip -- "$stage$1/bin/git-port"
    documents=$stage$1/share/doc/git-port
    mkdir -p -- "$documents"
    cp -- "$root/README.md" "$root/NOTICE" "$documents"
    find "$stage" -exec touch --no-dereference --date="@$epoch" {} +
}

archive() {
    name=git-port-$version-$(uname -m)-$(uname -s | tr '[:upper:]' '[:lower:]')
    installed "/$name"
    cp -- "$root/CHANGELOG.md" "$root/LICENSE-MIT" "$root/LICENSE-APACHE" "$documents"
    package=$folder/$name.tar.gz
    tar --directory "$stage" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" \
        --create --file - "$name" | gzip --best --no-name >"$scratch/package"
}

deb() {
    for needed in dpkg-deb dpkg-shlibdeps; do
        command -v "$needed" >/dev/null 2>&1 || fail "$needed is needed: install the package dpkg-dev"
    done
    installed /usr
    # Where Debian's zsh looks.
    mv -- "$stage/usr/share/zsh/site-functions" "$stage/usr/share/zsh/vendor-completions"
    gzip --best --no-name "$stage"/usr/share/man/man1/*.1
    gzip --best --no-name --stdout "$root/CHANGELOG.md" >"$documents/changelog.gz"
    {
        echo 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/'
        echo
        echo 'Files: *'
        echo 'Copyright: the authors of git-port'
        echo 'License: Expat or Apache-2.0'
        echo
        echo 'License: Expat'
        sed -e 's/^$/./' -e 's/^/ /' "$root/LICENSE-MIT"
        echo
        echo 'License: Apache-2.0'
        echo ' See /usr/share/common-licenses/Apache-2.0.'
    } >"$documents/copyright"

    # The libraries it is linked with, as Debian names and versions them.
    mkdir -- "$scratch/debian"
    : >"$scratch/debian/control"
    libraries=$(cd "$scratch" && dpkg-shlibdeps -O "$stage/usr/bin/git-port" 2>/dev/null) ||
        fail "dpkg-shlibdeps does not know the libraries of $stage/usr/bin/git-port"
    architecture=$(dpkg --print-architecture)
    mkdir -- "$stage/DEBIAN"
    cat >"$stage/DEBIAN/control" <<END
Package: git-port
Version: $version-1
Architecture: $architecture
Maintainer: The authors of git-port <git-port@localhost>
Installed-Size: $(du --summarize --apparent-size "$stage/usr" | cut -f 1)
Depends: git (>= 1:2.17), ${libraries#shlibs:Depends=}
Section: vcs
Priority: optional
Description: gives every git worktree its own ports, and keeps the books
 Many worktrees of one repository, each with dev servers that want the same
 port: git-port gives each its own, remembers who has which, and takes them
 back when a worktree is gone.
END
    find "$stage" -exec touch --no-dereference --date="@$epoch" {} +
    package=$folder/git-port_$version-1_$architecture.deb
    SOURCE_DATE_EPOCH=$epoch dpkg-deb --root-owner-group --build "$stage" "$scratch/package" >/dev/null
}

"$kind"
# In one step, so that nobody takes half a package.
cp -- "$scratch/package" "$package.new"
mv -f -- "$package.new" "$package"
echo "$package"
