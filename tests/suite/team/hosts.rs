//! Two machines, one registry: what is each one's own, and what is held for all.

use std::fs;

use crate::support::TestEnv;

/// Allocates as a machine and a user of this name.
fn acts_as(env: &mut TestEnv, host: &str, user: &str) {
    env.set("GIT_PORT_HOST", host);
    env.set("USER", user);
}

#[test]
fn a_dev_port_is_a_machines_own_and_a_production_port_the_teams() {
    let Some((mut env, _database)) = super::lab() else { return };
    let root = env.root();
    let production = env.port(150);
    acts_as(&mut env, "one", "ann");
    assert_eq!(env.one(&root, "allocate web --project shop")["port"], env.port(0));
    env.ok(&root, &format!("allocate web production {production} --project shop"));
    acts_as(&mut env, "two", "bob");
    let other = env.one(&root, "allocate web --project shop");
    assert_eq!(
        (&other["port"], &other["host"], &other["user"]),
        (&env.port(0).into(), &"two".into(), &"bob".into())
    );
    let run =
        env.git_port(&root, ["allocate", "api", "production", &production.to_string(), "--project", "bank"]);
    let run = run.exits_with(4);
    assert!(run.stderr.contains("belongs to shop/web (production), of ann on 'one'"), "{run:?}");
    let next = env.one(&root, "allocate api production --project bank");
    assert_eq!(next["port"], production + 1, "what is picked is what nobody has");

    assert_eq!(env.listed(&root, "--all").len(), 4);
    assert_eq!(env.listed(&root, "--all --host one").len(), 2);
    assert_eq!(env.listed(&root, "--all --mine").len(), 2);
    assert_eq!(env.listed(&root, "--all --mine --host one").len(), 0);
    let text = env.ok(&root, "list --all");
    let header: Vec<&str> = text.lines().next().unwrap().split_whitespace().take(4).collect();
    assert_eq!(header, ["PORT", "HOST", "USER", "PROJECT"], "{text}");
    let run = env.git_port(&root, ["list", "--all", "--host", "three"]).exits_with(1);
    assert!(run.stderr.contains("no machine 'three'"), "{run:?}");
}

#[test]
fn a_shared_range_has_one_owner_for_each_port() {
    let Some((mut env, _database)) = super::lab() else { return };
    let root = env.root();
    acts_as(&mut env, "one", "ann");
    env.ok(&root, &format!("range set shop {}-{} --shared", env.port(90), env.port(92)));
    assert_eq!(env.one(&root, "allocate web --project shop")["port"], env.port(90));
    acts_as(&mut env, "two", "bob");
    assert_eq!(env.one(&root, "allocate web --project shop")["port"], env.port(91));
    env.ok(&root, "allocate db --project shop");
    let run = env.git_port(&root, ["allocate", "more", "--project", "shop"]).exits_with(4);
    assert!(run.stderr.contains("no port is left"), "{run:?}");
    let run = env.git_port(&root, ["range", "set", "bank", &format!("{}-{}", env.port(92), env.port(95))]);
    assert!(run.exits_with(4).stderr.contains("of project 'shop'"));
    env.ok(&root, &format!("range set shop {}-{}", env.port(90), env.port(92)));
    assert_eq!(env.one(&root, "allocate again --project shop")["port"], env.port(90), "not shared any more");
}

#[test]
fn a_public_host_name_has_one_owner() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web --public-hostname app.example.org");
    let run = env.git_port(&repo, ["allocate", "api", "--public-hostname", "APP.example.org"]).exits_with(4);
    assert!(run.stderr.contains("'APP.example.org' belongs to shop/web"), "{run:?}");
    env.ok(&repo, "allocate api");
    let api = env.port(1).to_string();
    let run = env.git_port(&repo, ["update", &api, "--public-hostname", "app.example.org"]).exits_with(4);
    assert!(run.stderr.contains("belongs to shop/web"), "{run:?}");
    env.ok(&repo, "release web");
    env.ok(&repo, &format!("update {api} --public-hostname app.example.org"));
    // Every worktree has the configuration; the first who takes the name has it.
    fs::write(repo.join(".git-port.toml"), "[services.front]\npublic_hostname = 'front.example.org'\n")
        .unwrap();
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "--quiet", "-m", "front"]);
    assert_eq!(env.one(&repo, "allocate front")["public_hostname"], "front.example.org");
    assert_eq!(
        env.json(&repo, "worktree create topic")["allocations"][0]["public_hostname"],
        serde_json::json!(null)
    );
}

#[test]
fn a_user_and_a_machine_have_so_many_ports() {
    let mut env = TestEnv::new();
    let root = env.root();
    env.set("GIT_PORT_ALLOCATION_MAX_PER_USER", 3);
    env.ok(&root, "allocate a b c --project shop");
    env.ok(&root, "allocate a b c --project shop");
    let run = env.git_port(&root, ["allocate", "d", "--project", "shop"]).exits_with(4);
    assert!(run.stderr.contains("'tester' has 3 ports, and may have 3"), "{run:?}");
    env.ok(&root, "allocate a --new --project shop");
    env.set("USER", "another");
    env.ok(&root, "allocate d --project shop");
    env.set("GIT_PORT_ALLOCATION_MAX_PER_HOST", 4);
    let run = env.git_port(&root, ["allocate", "e", "--project", "shop"]).exits_with(4);
    assert!(run.stderr.contains("this machine has 4 ports, and may have 4"), "{run:?}");
}
