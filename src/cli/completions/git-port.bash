# bash completion for 'git port' and 'git-port'. git's own completion loads this file as 'git-port' and
# calls _git_port for 'git port …', also behind an alias or 'git -C <path>'.

__git_port_ask() {
    local index=$1 IFS=$'\013'
    shift
    COMPREPLY=( $(_CLAP_IFS=$'\013' _CLAP_COMPLETE_INDEX=$index _CLAP_COMPLETE_COMP_TYPE=9 \
        _CLAP_COMPLETE_SPACE=false COMPLETE=bash git-port -- "$@" 2>/dev/null) )
}

_git_port() {
    local i=${__git_cmd_idx:-1}
    __git_port_ask $((cword - i)) git-port "${words[@]:$((i + 1))}"
}

__git_port_direct() {
    __git_port_ask "$COMP_CWORD" "${COMP_WORDS[@]}"
}

complete -o bashdefault -o default -o nosort -F __git_port_direct git-port
