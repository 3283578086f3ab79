# shellcheck shell=sh
# git port worktree, for a shell that goes along. Use: eval "$(git port shell-init bash)"
gpw() {
    case ${1-} in
    create)
        shift
        # Whoever asks for help or JSON gets what is printed; who makes a worktree goes there.
        __gpw_path=$(command git port worktree create --print-path "$@") || return
        if [ -d "$__gpw_path" ]; then
            cd -- "$__gpw_path" && command git port list --worktree
        elif [ -n "$__gpw_path" ]; then
            printf '%s\n' "$__gpw_path"
        fi
        ;;
    cd)
        shift
        if [ $# = 0 ]; then
            __gpw_path=$(command git worktree list --porcelain) || return
            __gpw_path=${__gpw_path%%"
"*}
            cd -- "${__gpw_path#worktree }" || return
        else
            __gpw_path=$(command git port worktree path "$@") || return
            cd -- "$__gpw_path" || return
        fi
        ;;
    remove)
        # The folder one stands in may be the one that goes.
        __gpw_path=$(command git worktree list --porcelain) || return
        command git port worktree "$@" || return
        [ -d "$PWD" ] && return
        __gpw_path=${__gpw_path%%"
"*}
        cd -- "${__gpw_path#worktree }" || return
        ;;
    *)
        command git port worktree "$@"
        ;;
    esac
}
