//! The repositories, and the ways to call.

use super::{Case, PLAIN};

macro_rules! cases {
    ($($name:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        $(#[test]
        fn $name() {
            Case { $($field: $value,)* ..PLAIN }.check();
        })*
    };
}

cases! {
    a_new_branch { create: Some(&["new", "../wt"]) }
    a_new_branch_from_a_commit {
        add: &["-b", "new", "../wt", "topic"],
        create: Some(&["new", "../wt", "--from", "topic"]),
    }
    an_existing_branch { add: &["../wt", "topic"], create: Some(&["topic", "../wt"]) }
    a_branch_named_by_the_folder { add: &["../wt"] }
    a_branch_that_is_reset { add: &["-B", "topic", "../wt", "HEAD"] }
    a_branch_that_is_checked_out {
        add: &["../wt", "main"], create: Some(&["main", "../wt"]), status: 128,
    }
    an_orphan { add: &["--orphan", "-b", "new", "../wt"] }
    an_empty_repository { script: "git init -q shop", add: &["../wt"] }
    a_remote_branch {
        script: "origin; git clone -q origin shop; hook shop/.git/hooks",
        add: &["../wt", "feature"], create: Some(&["feature", "../wt"]),
    }
    a_remote_branch_by_the_folder {
        script: "origin; git clone -q origin shop; hook shop/.git/hooks",
        tree: "feature", add: &["--guess-remote", "../feature"],
    }
    a_branch_of_two_remotes {
        script: "origin; git clone -q origin shop; cd shop; hook .git/hooks
            git remote add fork ../origin; git fetch -q fork; git config checkout.defaultRemote fork",
        add: &["../wt", "feature"], create: Some(&["feature", "../wt"]),
    }
    a_branch_of_two_equal_remotes {
        script: "origin; git clone -q origin shop; cd shop
            git remote add fork ../origin; git fetch -q fork",
        add: &["../wt", "feature"], status: 128,
    }
    detached {
        add: &["--detach", "../wt", "topic"], create: Some(&["--detach", "topic", "../wt"]),
    }
    without_checkout {
        add: &["--no-checkout", "-b", "new", "../wt"], create: Some(&["--no-checkout", "new", "../wt"]),
    }
    a_slash_in_the_branch { add: &["-b", "feat/a/b", "../wt"], create: Some(&["feat/a/b", "../wt"]) }
    quietly { add: &["-q", "-b", "new", "../wt"] }
    locked { add: &["--lock", "--reason", "a disk", "-b", "new", "../wt"] }
    crlf { script: "base shop; git config core.autocrlf true", create: Some(&["new", "../wt"]) }
    crlf_by_the_environment {
        env: &[
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "core.autocrlf"),
            ("GIT_CONFIG_VALUE_0", "true"),
        ],
        create: Some(&["new", "../wt"]),
    }
    line_ends_and_encodings_by_attributes {
        script: "base shop; echo 'a.txt eol=crlf' >.gitattributes
            echo 'w.txt text working-tree-encoding=UTF-16LE eol=crlf' >>.gitattributes
            printf 'x\\0\\r\\0\\n\\0' >w.txt; git add .; git commit -qm attributes",
        create: Some(&["new", "../wt"]),
    }
    a_filter {
        script: "base shop; echo 'a.txt filter=shout' >.gitattributes
            git config filter.shout.clean 'tr A-Z a-z'; git config filter.shout.smudge 'tr a-z A-Z'
            git add --renormalize .; git add .; git commit -qm filter; test $(cat a.txt | head -1) = one",
        create: Some(&["new", "../wt"]),
    }
    no_links_and_no_modes {
        script: "base shop; git config core.symlinks false; git config core.fileMode false",
        create: Some(&["new", "../wt"]),
    }
    a_submodule {
        script: "origin; base shop; git submodule --quiet add ../origin part; git commit -qm part",
        create: Some(&["new", "../wt"]),
    }
    sparse {
        script: "base shop; git config extensions.worktreeConfig true
            git sparse-checkout set --cone sub/deep",
        create: Some(&["new", "../wt"]),
    }
    shallow {
        script: "origin; git clone -q --depth 1 file://$PWD/origin shop; hook shop/.git/hooks",
        create: Some(&["new", "../wt"]),
    }
    partial {
        script: "origin; git -C origin config uploadpack.allowFilter true
            git clone -q --no-checkout --filter=blob:none file://$PWD/origin shop; hook shop/.git/hooks",
        create: Some(&["new", "../wt"]),
    }
    borrowed_objects {
        script: "origin; git clone -q --shared origin shop; hook shop/.git/hooks",
        create: Some(&["new", "../wt"]),
    }
    bare {
        script: "origin; git clone -q --bare origin shop.git; hook shop.git/hooks",
        cwd: "shop.git", add: &["../wt", "feature"], create: Some(&["feature", "../wt"]),
    }
    bare_with_configuration_for_each_worktree {
        script: "origin; git clone -q --bare origin shop.git; hook shop.git/hooks; cd shop.git
            git config extensions.worktreeConfig true; git config --worktree core.bare true
            git config --unset core.bare",
        cwd: "shop.git", create: Some(&["new", "../wt"]),
    }
    hidden_bare {
        script: "origin; mkdir shop; git clone -q --bare origin shop/.bare; hook shop/.bare/hooks
            echo 'gitdir: ./.bare' >shop/.git",
        tree: "shop/wt", add: &["-b", "new", "wt"], create: Some(&["new", "wt"]),
    }
    a_separate_git_dir {
        script: "base shop --separate-git-dir=$PWD/elsewhere", create: Some(&["new", "../wt"]),
    }
    from_a_linked_worktree {
        script: "base shop; git worktree add -q ../linked topic",
        cwd: "linked/sub", add: &["-b", "new", "../../wt"], create: Some(&["new", "../../wt"]),
    }
    from_a_subfolder {
        cwd: "shop/sub/deep", add: &["-b", "new", "../../../wt"], create: Some(&["new", "../../../wt"]),
    }
    from_inside_the_git_dir {
        cwd: "shop/.git", add: &["-b", "new", "../../wt"], create: Some(&["new", "../../wt"]),
    }
    reftable { script: "base shop --ref-format=reftable", create: Some(&["new", "../wt"]) }
    reftable_existing_branch {
        script: "base shop --ref-format=reftable", add: &["../wt", "topic"], create: Some(&["topic", "../wt"]),
    }
    sha256 { script: "base shop --object-format=sha256", create: Some(&["new", "../wt"]) }
    sha256_remote_branch {
        script: "(base origin --object-format=sha256; git branch feature HEAD~1)
            git clone -q origin shop; hook shop/.git/hooks",
        add: &["../wt", "feature"], create: Some(&["feature", "../wt"]),
    }
    hooks_elsewhere {
        script: "base shop; rm -r .git/hooks; hook $PWD/../hooks; git config core.hooksPath $PWD/../hooks",
        create: Some(&["new", "../wt"]),
    }
    hooks_in_the_tree {
        script: "base shop; rm -r .git/hooks; hook hooks; git config core.hooksPath hooks",
        create: Some(&["new", "../wt"]),
    }
    a_hook_that_fails {
        script: "base shop; hook .git/hooks 3", create: Some(&["new", "../wt"]), status: 3,
    }
    shared {
        script: "base shop --shared=group; umask 027", create: Some(&["new", "../wt"]),
    }
    index_version_4 { script: "base shop; git config index.version 4", create: Some(&["new", "../wt"]) }
    split_index { script: "base shop; git config core.splitIndex true", create: Some(&["new", "../wt"]) }
    packed_refs {
        script: "base shop; git pack-refs --all", add: &["../wt", "topic"], create: Some(&["topic", "../wt"]),
    }
    an_empty_folder { script: "mkdir wt; base shop", create: Some(&["new", "../wt"]) }
    a_full_folder {
        // git leaves the new branch behind, and so does `add`; `create` does not.
        script: "mkdir wt; echo x >wt/x; base shop", status: 128,
    }
    missing_parents {
        tree: "x/y/z/wt", add: &["-b", "new", "../x/y/z/wt"], create: Some(&["new", "../x/y/z/wt"]),
    }
    a_path_through_a_link {
        script: "mkdir real; ln -s real via; base shop",
        tree: "real/wt", add: &["-b", "new", "../via/wt"], create: Some(&["new", "../via/wt"]),
    }
    a_path_with_a_slash_at_the_end { add: &["-b", "new", "../wt/"], create: Some(&["new", "../wt/"]) }
    the_same_folder_name_twice {
        script: "mkdir other; base shop; git worktree add -q ../other/wt topic", create: Some(&["new", "../wt"]),
    }
    a_folder_that_was_deleted {
        script: "base shop; git worktree add -q ../wt topic; rm -r ../wt",
        add: &["-f", "-b", "new", "../wt"],
    }
    replaced_commits {
        script: "base shop; git replace HEAD HEAD~1", create: Some(&["new", "../wt"]),
    }
    no_template { script: "base shop --template=", create: Some(&["new", "../wt"]) }
    no_tracking {
        script: "origin; git clone -q origin shop; git -C shop config branch.autoSetupMerge false
            hook shop/.git/hooks",
        add: &["../wt", "feature"],
    }
    a_rebased_branch {
        script: "base shop; git checkout -q topic; echo x >a.txt; git commit -qam x
            git rebase -q main >/dev/null 2>&1 || true; git checkout -q --detach || true",
        add: &["../wt", "topic"], create: Some(&["topic", "../wt"]), status: 128,
    }
    a_repository_named_by_the_environment {
        script: "base home; cd ..; mv home/.git dotfiles; git -C dotfiles config core.bare false",
        cwd: "home/sub",
        env: &[("GIT_DIR", "{work}/dotfiles"), ("GIT_WORK_TREE", "{work}/home")],
        add: &["-b", "new", "../../wt"], create: Some(&["new", "../../wt"]),
    }
    a_usage_error { add: &["--bogus", "../wt"], status: 129 }
    no_arguments { add: &[], status: 129 }
    help { add: &["-h"], status: 129 }
    by_several_workers { env: WORKERS, create: Some(&["new", "../wt"]) }
    by_several_workers_another_commit {
        env: WORKERS, add: &["../wt", "topic"], create: Some(&["topic", "../wt"]),
    }
    by_several_workers_with_a_filter {
        script: "base shop; echo 'a.txt filter=shout' >.gitattributes
            git config filter.shout.clean 'tr A-Z a-z'; git config filter.shout.smudge 'tr a-z A-Z'
            git add --renormalize .; git add .; git commit -qm filter",
        env: WORKERS, create: Some(&["new", "../wt"]),
    }
    as_many_workers_as_the_user_says {
        script: "base shop; git config checkout.workers 1", env: WORKERS, create: Some(&["new", "../wt"]),
    }
}

/// However few files there are.
const WORKERS: &[(&str, &str)] = &[("GIT_PORT_FILL_FROM", "1")];
