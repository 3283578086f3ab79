# fish completion for 'git port' and 'git-port'.

function __git_port_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token)
    # 'git port …' asks as 'git-port …' does.
    if test "$words[1]" = git
        set -l at (contains --index -- port $words); or return
        set words git-port $words[(math $at + 1)..-1]
    end
    set -l index (count $words)
    COMPLETE=fish git-port -- $words $current 2>/dev/null
end

complete --command git-port --no-files --arguments '(__git_port_complete)'
complete --command git --condition '__fish_seen_subcommand_from port' --no-files --arguments '(__git_port_complete)'
complete --command git --condition '__fish_use_subcommand' --arguments port --description 'Ports for each worktree'
