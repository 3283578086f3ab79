#!/usr/bin/env bash
# Runs every check there is, and ends with the first that fails.
#
# What the tests need besides Rust and git is installed if it is missing, where this is Debian or Ubuntu
# and the user is root; else it says what is missing. --long runs the tests that take minutes, too.
set -euo pipefail
cd "$(dirname "$0")/.."

usage='usage: tests/run.sh [--long]'
long=no
for argument; do
    case $argument in
    --long) long=yes ;;
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    *)
        printf "error: unknown argument '%s'\n%s\n" "$argument" "$usage" >&2
        exit 2
        ;;
    esac
done

heading() {
    printf '\n== %s\n' "$1"
}

# Prints what is missing, a line each: the name, and the distribution's package.
missing() {
    local name
    for name in \
        git:git \
        cc:build-essential \
        zsh:zsh \
        fish:fish \
        shellcheck:shellcheck \
        man:man-db \
        node:nodejs \
        npm:npm \
        python3:python3 \
        strace:strace \
        openssl:openssl \
        valgrind:valgrind \
        direnv:direnv \
        dpkg-shlibdeps:dpkg-dev \
        chromium:chromium \
        chromedriver:chromium-driver; do
        command -v "${name%:*}" >/dev/null 2>&1 || echo "${name%:*} ${name#*:}"
    done
    # It is not on PATH, because one may have several.
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null 2>&1 || echo "postgresql postgresql"
    [ -f /usr/share/bash-completion/bash_completion ] || echo "bash-completion bash-completion"
    [ -f /usr/share/bash-completion/completions/git ] || echo "git's-completions git"
    python3 -c 'import dotenv' >/dev/null 2>&1 || echo "python3-with-dotenv python3-dotenv"
    python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || echo "python3-with-venv python3-venv"
}

heading "what the tests need"
if ! command -v cargo >/dev/null 2>&1; then
    echo "missing: cargo (Rust 1.95 or newer, with rustfmt and clippy)" >&2
    exit 1
fi
lacking=$(missing)
if [ -n "$lacking" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    mapfile -t packages < <(cut -d' ' -f2 <<<"$lacking" | sort -u)
    echo "installing: ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet --quiet
    apt-get install --quiet --quiet --yes --no-install-recommends "${packages[@]}"
    lacking=$(missing)
fi
if [ -n "$lacking" ]; then
    echo "missing (install the package, and look that PATH leads to it):" >&2
    while read -r name package; do
        echo "    $name: package $package" >&2
    done <<<"$lacking"
    exit 1
fi
echo "all there"

heading "format"
cargo fmt --check

heading "clippy"
cargo clippy --locked --all-targets -- -D warnings

heading "shell scripts"
shellcheck hooks/post-checkout install.sh packaging/*.sh tests/*.sh benches/*.sh src/cli/completions/git-port.bash src/cli/shell_init/gpw.sh
fish --no-execute src/cli/completions/git-port.fish src/cli/shell_init/gpw.fish
zsh -n src/cli/completions/_git-port

heading "documentation of the code"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

heading "tests"
# A program that is missing makes a test fail, instead of being left out.
export GIT_PORT_TESTS_COMPLETE=1
arguments=()
if [ "$long" = yes ]; then
    export GIT_PORT_TESTS_LONG=1
    arguments=(-- --include-ignored)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ "$long" = yes ]; then
    # The long tests would take hours with the unoptimised program.
    cargo build --locked --release
    export GIT_PORT_TEST_PROGRAM=$PWD/target/release/git-port
    heading "instructions"
    benches/instructions.sh
fi
cargo test --locked "${arguments[@]}" 2>&1 | tee "$log"

heading "the main commands on PostgreSQL"
# What these tests look at in the file of a registry, or do to it, has no meaning there.
GIT_PORT_TESTS_REGISTRY=postgresql cargo test --locked --test suite -- \
    allocate:: audit:: check:: cleanup:: dashboard:: discovery:: env:: export:: get:: history:: import:: init:: list:: \
    range:: release:: reserve:: stats:: update:: url:: worktree:: \
    --skip trouble::the_registry --skip ten_thousand_rows --skip leaves_nothing_behind \
    --skip when_the_other_side_moves --skip an_older_reader --skip no_text_survive --skip are_read_back --skip wiped_and_imported \
    2>&1 | tee -a "$log"

awk '/^test result: / { passed += $4; failed += $6 } END { printf "\n%d passed, %d failed\n", passed, failed }' "$log"

if [ "$long" = yes ]; then
    heading "soak"
    tests/soak.sh
fi
