//! `<project>/<service>`: the services of other projects, on the command line and in `[env]`.

use std::fs;
use std::path::PathBuf;

use crate::support::{TestEnv, shape};

/// Two projects; `pay` has `api` in its main worktree and on branch `topic`.
fn neighbours(env: &TestEnv) -> (PathBuf, PathBuf) {
    let (shop, pay) = (env.repo("shop"), env.repo("pay"));
    env.ok(&pay, "allocate api");
    env.ok(&pay, "worktree create topic --service api");
    (shop, pay)
}

#[test]
fn the_same_branch_then_the_main_worktree_then_no_worktree() {
    let env = TestEnv::new();
    let (shop, pay) = neighbours(&env);
    env.ok(&shop, "worktree create topic --no-ports");
    env.ok(&shop, "worktree create other --no-ports");
    let [topic, other] = ["shop-topic", "shop-other"].map(|name| env.root().join(name));
    let (main, branch) = (env.port(0), env.port(1));
    for (dir, port) in [(&shop, main), (&topic, branch), (&other, main), (&env.root(), main)] {
        assert_eq!(env.ok(dir, "get pay/api"), format!("{port}\n"), "{}", dir.display());
        assert_eq!(env.ok(dir, "url pay/api"), format!("http://localhost:{port}\n"));
    }
    let one = env.one(&topic, "url pay/api");
    shape::has(&one, shape::ALLOCATION);
    assert_eq!((&one["project"], &one["branch"]), (&"pay".into(), &"topic".into()));

    env.ok(&env.root(), "allocate mail --project pay");
    env.ok(&pay, "allocate web production");
    let port = env.one(&env.root(), "list --project pay --environment production")["port"].clone();
    assert_eq!(env.ok(&topic, "get pay/mail"), format!("{}\n", env.port(2)));
    assert_eq!(env.ok(&topic, "get pay/web -e production"), format!("{port}\n"));
}

#[test]
fn what_is_not_there_is_told() {
    let env = TestEnv::new();
    let (shop, pay) = neighbours(&env);
    env.git_port(&pay, ["release", "api"]).success();
    shape::refuses(
        &env,
        &shop,
        &[
            (&["get", "nobody/api"], 1, "not_found", "project 'nobody' has no ports"),
            (&["get", "pay/web"], 1, "not_found", "project 'pay' has no service 'web' in 'dev'"),
            (&["url", "pay/api"], 1, "not_found", "'pay/api' has no port for branch 'main'"),
            (&["open", "pay/api"], 1, "not_found", "'pay/api' has no port for branch 'main'"),
            (&["get", "pay/api", "-e", "test"], 1, "not_found", "in 'test'"),
            (&["get", "pay/"], 129, "usage", "'pay/'"),
            (&["get", "/api"], 129, "usage", "'/api'"),
            (&["url", "a b/api"], 129, "usage", "'a b/api'"),
            (&["get", "pay/api/x"], 129, "usage", "'pay/api/x'"),
        ],
    );
    let run = env.git_port(&shop, ["get", "pay/web"]).exits_with(1);
    assert!(run.stderr.contains("its services: api"), "{run:?}");
    let run = env.git_port(&shop, ["get", "pay/api"]).exits_with(1);
    assert!(run.stderr.contains("there is one for: topic"), "{run:?}");
}

#[test]
fn values_name_services_of_other_projects() {
    let env = TestEnv::new();
    let (shop, _) = neighbours(&env);
    let config = "[services.web]\n[env]\nPAY_URL = \"{pay/api.url}/v1\"\nPAY = \"{pay/api.port} {port}\"\n";
    fs::write(shop.join(".git-port.toml"), config).unwrap();
    env.git(&shop, ["add", "."]);
    env.git(&shop, ["commit", "--quiet", "-m", "ports"]);
    let web = env.ok(&shop, "get web").trim().to_owned();
    let text = env.ok(&shop, "env --format dotenv");
    assert!(text.contains(&format!("PAY_URL=http://localhost:{}/v1\n", env.port(0))), "{text}");
    assert!(text.contains(&format!("PAY='{} {web}'\n", env.port(0))), "{text}");
    env.ok(&shop, "worktree create topic");
    let topic = env.root().join("shop-topic");
    let file = fs::read_to_string(topic.join(".git-port.env")).unwrap();
    assert!(file.contains(&format!("PAY_URL=http://localhost:{}/v1\n", env.port(1))), "{file}");

    fs::write(shop.join(".git-port.toml"), "[services.web]\n[env]\nX = \"{pay/web.port}\"\n").unwrap();
    let run = env.git_port(&shop, ["env"]).exits_with(128);
    assert!(run.stderr.contains("'pay/web' has no port here, which 'X' names"), "{run:?}");
    assert!(run.stderr.contains("git port list --project pay"), "{run:?}");
    assert_eq!(env.ok(&shop, "get web").trim(), web, "the port is there all the same");
}

#[test]
fn files_of_variables_follow_when_the_other_side_moves() {
    let env = TestEnv::new();
    let (shop, pay) = neighbours(&env);
    let config = "[services.web]\n[env]\nPAY = \"{pay/api.port}\"\n";
    fs::write(shop.join(".git-port.toml"), config).unwrap();
    env.ok(&shop, "env");
    let file = shop.join(".git-port.env");
    let holds = |port: u16| {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(&format!("PAY={port}\n")), "{port}: {text}");
    };
    holds(env.port(0));
    let moved = |index: u16| {
        env.ok(&pay, &format!("allocate api --new --port {}", env.port(index)));
        env.port(index)
    };
    holds(moved(30));
    holds(moved(31));

    // Released, it is told where the old value stays; given back, it is there again.
    let run = env.git_port(&pay, ["release", "api"]).success();
    let warning = format!("warning: in '{}': .git-port.env is not up to date", shop.display());
    assert!(run.stderr.contains(&warning), "{run:?}");
    let run = env.git_port(&pay, ["allocate", "api"]).success();
    assert!(run.stderr.is_empty(), "{run:?}");
    holds(env.port(31));

    // The worktree of the same branch comes before the main one, and it may be made and removed later.
    env.git(&shop, ["add", "."]);
    env.git(&shop, ["commit", "--quiet", "-m", "ports"]);
    env.ok(&shop, "worktree create late");
    let late = env.root().join("shop-late");
    let of_late = || {
        let text = fs::read_to_string(late.join(".git-port.env")).unwrap();
        text.lines().find_map(|line| line.strip_prefix("PAY=")).unwrap().parse::<u16>().unwrap()
    };
    assert_eq!(of_late(), env.port(31));
    env.ok(&pay, "worktree create late --service api");
    let own: u16 = env.ok(&env.root().join("pay-late"), "get api").trim().parse().unwrap();
    assert_eq!(of_late(), own);
    env.ok(&pay, "worktree remove late");
    assert_eq!(of_late(), env.port(31));

    // What the registry does not know any more, the next command in the worktree puts right.
    let connection = rusqlite::Connection::open(env.registry()).unwrap();
    assert!(connection.execute("DELETE FROM notes WHERE key LIKE 'followers of %'", []).unwrap() > 0);
    drop(connection);
    let port = moved(33);
    holds(env.port(31));
    env.ok(&shop, "get");
    holds(port);
    holds(moved(34));
}
