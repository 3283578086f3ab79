# bash completion for 'git port' and 'git-port'. git's own completion loads this file as 'git-port' and
# calls _git_port for 'git port …', also behind an alias or 'git -C <path>'.

# Asks the program what may stand at this index of these words.
__git_port_ask() {
    local index=$1 IFS=$'\013'
    shift
    # The answers are separated by vertical tabs, which no name contains.
    # shellcheck disable=SC2207
    COMPREPLY=($(_CLAP_IFS=$'\013' _CLAP_COMPLETE_INDEX=$index _CLAP_COMPLETE_COMP_TYPE=9 \
        _CLAP_COMPLETE_SPACE=false COMPLETE=bash git-port -- "$@" 2>/dev/null)) || COMPREPLY=()
    # git registers its completion without a space at the end; a whole word of ours has one.
    if [[ ${COMPREPLY[0]-} =~ [=/:]$ ]]; then
        compopt -o nospace 2>/dev/null
    else
        compopt +o nospace 2>/dev/null
    fi
}

# 'words', 'cword' and '__git_cmd_idx' are git's: the line, where the cursor is, where 'port' is.
_git_port() {
    # shellcheck disable=SC2154
    local at=${__git_cmd_idx:-1}
    # shellcheck disable=SC2154
    __git_port_ask $((cword - at)) git-port "${words[@]:at+1}"
}

__git_port_direct() {
    __git_port_ask "$COMP_CWORD" git-port "${COMP_WORDS[@]:1}"
}

complete -o bashdefault -o default -o nosort -F __git_port_direct git-port 2>/dev/null ||
    complete -o bashdefault -o default -F __git_port_direct git-port
