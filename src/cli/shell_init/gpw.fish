# git port worktree, for a shell that goes along. Use: git port shell-init fish | source
function gpw
    switch "$argv[1]"
        case create
            # Whoever asks for help or JSON gets what is printed; who makes a worktree goes there.
            set -l said (command git port worktree create --print-path $argv[2..-1])
            or return
            if test (count $said) -eq 1; and test -d "$said"
                cd -- "$said"; and command git port list --worktree
            else if set -q said[1]
                printf '%s\n' $said
            end
        case cd
            if test (count $argv) -eq 1
                set -l list (command git worktree list --porcelain)
                or return
                cd -- (string replace -r '^worktree ' '' -- $list[1])
            else
                set -l path (command git port worktree path $argv[2..-1])
                or return
                cd -- "$path"
            end
        case remove
            # The folder one stands in may be the one that goes.
            set -l list (command git worktree list --porcelain)
            or return
            command git port worktree $argv
            or return
            test -d "$PWD"; and return
            cd -- (string replace -r '^worktree ' '' -- $list[1])
        case '*'
            command git port worktree $argv
    end
end
