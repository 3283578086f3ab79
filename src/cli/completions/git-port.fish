# fish completion for 'git port' and 'git-port'.

# Asks the program what may stand where the cursor is. 'git port …' asks as 'git-port …' does; what stands
# between 'git' and 'port' belongs to git, as in 'git -C <path> port'.
function __git_port_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    if test "$words[1]" = git
        set -l at (contains --index -- port $words); or return
        set words git-port $words[(math $at + 1)..-1]
    end
    COMPLETE=fish git-port -- $words (commandline --current-token --cut-at-cursor) 2>/dev/null
end

# Says whether the command of git is this one; '' stands for none yet.
function __git_port_git_command_is
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case -C -c --git-dir --work-tree --namespace --config-env
                set -e words[1]
            case '-*'
            case '*'
                break
        end
        set -e words[1]
    end
    test "$words[1]" = "$argv[1]"
end

complete --command git-port --no-files --keep-order --arguments '(__git_port_complete)'
complete --command git --condition '__git_port_git_command_is port' --no-files --keep-order \
    --arguments '(__git_port_complete)'
complete --command git --condition '__git_port_git_command_is ""' --no-files --arguments port \
    --description 'Ports for each worktree'
