//! The table: what is done to a worktree, and what is expected.

use std::fs;
use std::os::unix::fs::symlink;

use super::lab::Lab;
use super::{BROKEN, Kept, LOCKED, Live, Need, Released, Scenario, UNREACHABLE};
use crate::support::GIT_PORT;
use crate::support::server::Server;

/// Its folder is gone and git does not know: said by `cleanup` and by a watch, not in passing.
const MISSING: [super::Fate; 3] = [Released, Released, Kept("")];
/// git removed it.
const REMOVED: [super::Fate; 3] = [Released; 3];

macro_rules! scenarios {
    ($($name:ident: $scenario:expr;)*) => { $(
        #[test]
        fn $name() {
            $scenario.run();
        }
    )* };
}

fn delete(lab: &mut Lab) {
    fs::remove_dir_all(&lab.tree).unwrap();
}

fn delete_and_prune(lab: &mut Lab) {
    delete(lab);
    lab.git("worktree prune --expire now");
}

fn beside(lab: &Lab) -> std::path::PathBuf {
    lab.tree.with_file_name("beside")
}

fn mount(lab: &Lab, at: &str) {
    let _ = lab.run(&lab.env.root(), &format!("mount -t tmpfs tmpfs {at}"));
}

fn unmount(lab: &Lab, at: &str) {
    let _ = lab.run(&lab.env.root(), &format!("umount {at}"));
}

/// The worktree is on a disk of its own, mounted around it.
fn on_a_disk(lab: &mut Lab) {
    mount(lab, "work");
    lab.populate();
}

scenarios! {
    alive: Scenario::kept(Live, |_| {}).and_main([Live; 3]);
    deleted: Scenario::new(MISSING, delete);
    deleted_and_pruned: Scenario::new(REMOVED, delete_and_prune);
    removed_by_git: Scenario::new(REMOVED, |lab| lab.git("worktree remove ../work/topic"));
    folder_around_it_deleted: Scenario::new(MISSING, |lab| {
        fs::remove_dir_all(lab.env.root().join("work")).unwrap();
    });
    file_in_place_of_the_folder_around_it: Scenario::new(MISSING, |lab| {
        fs::remove_dir_all(lab.env.root().join("work")).unwrap();
        fs::write(lab.env.root().join("work"), "a file\n").unwrap();
    });

    locked: Scenario::kept(Live, |lab| lab.git("worktree lock ../work/topic"));
    locked_and_deleted: Scenario::kept(LOCKED, |lab| {
        lab.git("worktree lock --reason away ../work/topic");
        delete(lab);
    });

    disk_unmounted: Scenario::kept(UNREACHABLE, |lab| unmount(lab, "work"))
        .needs(Need::Mounts).prepared(on_a_disk);
    disk_unmounted_and_pruned: Scenario::kept(UNREACHABLE, |lab| {
        unmount(lab, "work");
        lab.git("worktree prune --expire now");
    }).needs(Need::Mounts).prepared(on_a_disk);
    mount_point_itself_unmounted: Scenario::kept(UNREACHABLE, |lab| unmount(lab, "work/topic"))
        .needs(Need::Mounts).prepared(|lab| {
            fs::create_dir(&lab.tree).unwrap();
            mount(lab, "work/topic");
            lab.populate();
        });
    bind_mount_unmounted: Scenario::kept(UNREACHABLE, |lab| {
        unmount(lab, "work");
        fs::remove_dir_all(lab.env.root().join("disk")).unwrap();
    }).needs(Need::Mounts).prepared(|lab| {
        fs::create_dir(lab.env.root().join("disk")).unwrap();
        let _ = lab.run(&lab.env.root(), "mount --bind disk work");
        lab.populate();
    });
    mount_point_removed: Scenario::kept(UNREACHABLE, |lab| {
        unmount(lab, "work");
        let _ = lab.run(&lab.env.root(), "rmdir work");
    }).needs(Need::Mounts).prepared(on_a_disk);
    another_disk_mounted_instead: Scenario::kept(UNREACHABLE, |lab| {
        unmount(lab, "work");
        mount(lab, "work");
    }).needs(Need::Mounts).prepared(on_a_disk);
    another_disk_mounted_over_it: Scenario::kept(UNREACHABLE, |lab| mount(lab, "work/topic"))
        .needs(Need::Mounts);
    another_disk_mounted_over_the_folder_around_it: Scenario::kept(UNREACHABLE, |lab| mount(lab, "work"))
        .needs(Need::Mounts);

    folder_around_it_closed: Scenario::kept(UNREACHABLE, |lab| {
        let folder = lab.env.root().join("work");
        lab.close(&folder);
    }).needs(Need::Users);
    worktree_itself_closed: Scenario::kept(UNREACHABLE, |lab| {
        let folder = lab.tree.clone();
        lab.close(&folder);
    }).needs(Need::Users);
    administrative_directory_closed: Scenario::kept(UNREACHABLE, |lab| {
        let folder = lab.admin();
        lab.close(&folder);
    }).needs(Need::Users);
    administrative_directories_closed: Scenario::kept(UNREACHABLE, |lab| {
        delete(lab);
        let folder = lab.repo.join(".git/worktrees");
        lab.close(&folder);
    }).needs(Need::Users);
    common_directory_closed: Scenario::kept(UNREACHABLE, |lab| {
        let folder = lab.repo.join(".git");
        lab.close(&folder);
        lab.from = lab.env.root();
    }).needs(Need::Users).and_main([UNREACHABLE; 3]);

    moved_by_git: Scenario::kept(Live, |lab| lab.git("worktree move ../work/topic ../work/beside"));
    moved_by_git_elsewhere: Scenario::kept(Live, |lab| lab.git("worktree move ../work/topic ../elsewhere"));
    // It cannot be told from a deleted one. Its ports come back to it: see `again`.
    moved_by_hand: Scenario::new(MISSING, |lab| fs::rename(&lab.tree, beside(lab)).unwrap());
    moved_by_hand_and_repaired: Scenario::kept(Live, |lab| {
        fs::rename(&lab.tree, beside(lab)).unwrap();
        lab.git("worktree repair ../work/beside");
    });
    // No administrative directory knows it any more: to git it is no worktree.
    moved_by_hand_and_pruned: Scenario::new(REMOVED, |lab| {
        fs::rename(&lab.tree, beside(lab)).unwrap();
        lab.git("worktree prune --expire now");
    });
    moved_by_hand_and_linked: Scenario::kept(Live, |lab| {
        fs::rename(&lab.tree, beside(lab)).unwrap();
        symlink(beside(lab), &lab.tree).unwrap();
    });
    moved_by_hand_and_used: Scenario::kept(Live, |lab| {
        fs::rename(&lab.tree, beside(lab)).unwrap();
        let _ = lab.run(&beside(lab), &format!("{GIT_PORT} list"));
    });

    copied: Scenario::kept(Live, |lab| {
        let _ = lab.run(&lab.env.root(), "cp -a work/topic work/beside");
    });
    // Nothing tells of the copy until it is used.
    copied_and_deleted: Scenario::new(MISSING, |lab| {
        let _ = lab.run(&lab.env.root(), "cp -a work/topic work/beside");
        delete(lab);
    });
    copied_and_deleted_and_used: Scenario::kept(Live, |lab| {
        let _ = lab.run(&lab.env.root(), "cp -a work/topic work/beside");
        delete(lab);
        let _ = lab.run(&beside(lab), &format!("{GIT_PORT} list"));
    });

    link_deleted: Scenario::kept(BROKEN, |lab| fs::remove_file(lab.tree.join(".git")).unwrap());
    link_damaged: Scenario::kept(BROKEN, |lab| fs::write(lab.tree.join(".git"), b"\0garbage").unwrap());
    gitdir_empty: Scenario::kept(Live, |lab| fs::write(lab.admin().join("gitdir"), "").unwrap());
    gitdir_torn: Scenario::kept(Live, |lab| {
        let whole = fs::read(lab.admin().join("gitdir")).unwrap();
        fs::write(lab.admin().join("gitdir"), &whole[..whole.len() / 2]).unwrap();
    });
    gitdir_leads_nowhere: Scenario::kept(Live, |lab| {
        fs::write(lab.admin().join("gitdir"), "/nowhere/at/all/.git\n").unwrap();
    });
    administrative_directory_deleted: Scenario::kept(BROKEN, |lab| {
        fs::remove_dir_all(lab.admin()).unwrap();
    });
    administrative_directory_and_worktree_deleted: Scenario::new(REMOVED, |lab| {
        fs::remove_dir_all(lab.admin()).unwrap();
        delete(lab);
    });
    another_repository_in_its_place: Scenario::kept(BROKEN, |lab| {
        delete(lab);
        let _ = lab.run(&lab.env.root(), "git init -q work/topic");
    });
    another_repository_after_a_prune: Scenario::new(REMOVED, |lab| {
        delete_and_prune(lab);
        let _ = lab.run(&lab.env.root(), "git init -q work/topic");
    });
    plain_folder_in_its_place: Scenario::kept(BROKEN, |lab| {
        delete(lab);
        fs::create_dir(&lab.tree).unwrap();
    });
    plain_folder_after_a_prune: Scenario::new(REMOVED, |lab| {
        delete_and_prune(lab);
        fs::create_dir(&lab.tree).unwrap();
    });
    dangling_link_in_its_place: Scenario::kept(BROKEN, |lab| {
        delete(lab);
        symlink("/nowhere/at/all", &lab.tree).unwrap();
    });

    // The main worktree is where it was moved to, but nothing tells of that until a command is run there.
    repository_moved: Scenario::new([BROKEN; 3], |lab| {
        fs::rename(&lab.repo, lab.env.root().join("moved")).unwrap();
        lab.from = lab.env.root().join("moved");
    }).and_main([Released, Released, Live]);
    repository_moved_and_repaired: Scenario::kept(BROKEN, |lab| {
        let moved = lab.env.root().join("moved");
        fs::rename(&lab.repo, &moved).unwrap();
        let _ = lab.run(&moved, "git worktree repair");
        lab.from = moved;
    });
    repository_moved_and_used: Scenario::kept(BROKEN, |lab| {
        let moved = lab.env.root().join("moved");
        fs::rename(&lab.repo, &moved).unwrap();
        let _ = lab.run(&moved, &format!("{GIT_PORT} list"));
        lab.from = moved;
    }).and_main([Live; 3]);
    repository_moved_and_repaired_and_used: Scenario::kept(Live, |lab| {
        let moved = lab.env.root().join("moved");
        fs::rename(&lab.repo, &moved).unwrap();
        let _ = lab.run(&moved, "git worktree repair");
        let _ = lab.run(&moved, &format!("{GIT_PORT} list"));
        lab.from = moved;
    }).and_main([Live; 3]);
    repository_deleted_with_its_worktrees: Scenario::new(MISSING, |lab| {
        delete(lab);
        fs::remove_dir_all(&lab.repo).unwrap();
        lab.from = lab.env.root().join("other");
    }).and_main(MISSING);
    repository_deleted_under_its_worktree: Scenario::kept(BROKEN, |lab| {
        fs::remove_dir_all(&lab.repo).unwrap();
        lab.from = lab.env.root().join("other");
    }).and_main(MISSING);
    repository_deleted_but_for_its_files: Scenario::kept(BROKEN, |lab| {
        fs::remove_dir_all(lab.repo.join(".git")).unwrap();
        lab.from = lab.env.root().join("other");
    }).and_main(MISSING);
    repository_cloned_again: Scenario::kept(BROKEN, |lab| {
        let kept = lab.env.root().join("kept");
        let _ = lab.run(&lab.env.root(), "git clone -q --bare shop kept");
        fs::remove_dir_all(&lab.repo).unwrap();
        let _ = lab.run(&lab.env.root(), &format!("git clone -q {} shop", kept.display()));
    }).and_main([BROKEN; 3]);
    repository_copied: Scenario::kept(Live, |lab| {
        let _ = lab.run(&lab.env.root(), "cp -a shop copy");
        lab.from = lab.env.root().join("copy");
    }).and_main([Live; 3]);
    bare_repositorys_worktree_removed: Scenario::new(REMOVED, |lab| {
        lab.git("worktree remove ../work/topic");
    }).prepared(|lab| {
        let _ = lab.run(&lab.env.root(), "git clone -q --bare shop bare.git");
        lab.repo = lab.env.root().join("bare.git");
        lab.from.clone_from(&lab.repo);
        lab.git("worktree add -q -b topic ../work/topic");
        lab.tree_port = lab.run(&lab.tree, &format!("{GIT_PORT} get")).trim().parse().unwrap();
    });

    token_deleted: Scenario::kept(BROKEN, |lab| fs::remove_file(lab.admin().join("git-port-id")).unwrap());
    token_emptied: Scenario::kept(UNREACHABLE, |lab| {
        fs::write(lab.admin().join("git-port-id"), "").unwrap();
    });
    token_damaged_and_deleted: Scenario::kept(UNREACHABLE, |lab| {
        fs::write(lab.admin().join("git-port-id"), "nonsense\n").unwrap();
        delete(lab);
    });
    repositorys_token_deleted: Scenario::kept(BROKEN, |lab| {
        fs::remove_file(lab.repo.join(".git/git-port/repo-id")).unwrap();
    }).and_main([BROKEN; 3]);

    reached_through_a_link_and_deleted: Scenario::new(MISSING, |lab| {
        fs::remove_dir_all(lab.env.root().join("work")).unwrap();
    }).prepared(|lab| {
        symlink("work", lab.env.root().join("link")).unwrap();
        lab.git("worktree add -q ../link/topic");
        lab.give_ports();
    });
    served_although_gone: Scenario::kept(Kept("a process still listens"), |lab| {
        lab.servers.push(Server::start(&lab.env.root(), &format!("127.0.0.1:{}", lab.tree_port)));
        delete_and_prune(lab);
    });
    served_and_ended: Scenario::new(REMOVED, |lab| {
        lab.servers.push(Server::start(&lab.env.root(), &format!("127.0.0.1:{}", lab.tree_port)));
        delete_and_prune(lab);
        let from = lab.from.clone();
        for words in ["list", "cleanup"] {
            let _ = lab.look(&from, words);
            assert!(lab.is_live(lab.tree_port), "{words}");
        }
        lab.servers.clear();
    });
    pinned: Scenario::kept(Kept("it is pinned"), |lab| {
        let _ = lab.run(&lab.repo, &format!("{GIT_PORT} update {} --pin", lab.tree_port));
        delete_and_prune(lab);
    });
    port_of_production: Scenario::kept(Live, delete_and_prune).prepared(|lab| {
        lab.populate();
        let words = format!("{GIT_PORT} --json allocate web production");
        let placed: serde_json::Value = serde_json::from_str(&lab.run(&lab.tree, &words)).unwrap();
        lab.tree_port = placed["allocations"][0]["port"].as_u64().unwrap().try_into().unwrap();
    });

    reading_the_worktree_fails: Scenario::kept(UNREACHABLE, |_| {}).needs(Need::Strace).ready(|lab| {
        let tree = lab.tree.to_str().unwrap().to_owned();
        lab.look_failing("EIO", &tree);
    });
    worktree_on_a_stale_handle: Scenario::kept(UNREACHABLE, |_| {}).needs(Need::Strace).ready(|lab| {
        let tree = lab.tree.to_str().unwrap().to_owned();
        lab.look_failing("ESTALE", &tree);
    });
    administrative_directory_on_a_stale_handle: Scenario::kept(UNREACHABLE, |_| {})
        .needs(Need::Strace).ready(|lab| {
            let token = lab.admin().join("git-port-id");
            lab.look_failing("ESTALE", token.to_str().unwrap());
        });
    listing_the_worktrees_fails: Scenario::kept(UNREACHABLE, |_| {}).needs(Need::Strace)
        .prepared(|lab| {
            lab.populate();
            // What was recorded leads nowhere, so that they are listed.
            fs::rename(lab.admin(), lab.admin().with_file_name("renamed")).unwrap();
            fs::write(lab.tree.join(".git"), "gitdir: ../../shop/.git/worktrees/renamed\n").unwrap();
        })
        .ready(|lab| {
            let folder = lab.repo.join(".git/worktrees");
            lab.look_failing("EIO", folder.to_str().unwrap());
        });
    repository_disconnected: Scenario::kept(UNREACHABLE, |_| {}).needs(Need::Strace).ready(|lab| {
        let folder = lab.repo.join(".git");
        lab.look_failing("ENOTCONN", folder.to_str().unwrap());
        lab.from = lab.env.root();
    }).and_main([UNREACHABLE; 3]);
}
