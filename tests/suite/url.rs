//! `git port url`

use crate::support::{TestEnv, shape};

#[test]
fn one_bare_url() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    for line in ["url", "-q url", "url --color always"] {
        assert_eq!(env.ok(&repo, line), format!("http://localhost:{}\n", env.port(0)), "{line}");
    }
    assert_eq!(env.ok(&repo, "url api"), format!("http://localhost:{}\n", env.port(1)));
    assert_eq!(env.ok(&repo, "url api -e test"), format!("http://localhost:{}\n", env.port(100)));
    let one = env.one(&repo, "url api");
    shape::has(&one, shape::ALLOCATION);
    assert_eq!(one["url"], format!("http://localhost:{}", env.port(1)));
}

#[test]
fn a_database_has_none() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate store --type postgres");
    env.ok(&repo, "allocate dns --protocol udp");
    shape::refuses(
        &env,
        &repo,
        &[(&["url", "store"], 1, "not_found", "'store'"), (&["url", "dns"], 1, "not_found", "'dns'")],
    );
    assert!(env.git_port(&repo, ["url", "store"]).exits_with(1).stderr.contains("git port get store"));
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    shape::refuses(
        &env,
        &repo,
        &[
            (&["url", "W"], 129, "usage", "'W'"),
            (&["url", "http://x"], 129, "usage", "'http://x'"),
            (&["url", "web", "api"], 129, "usage", "'api'"),
            (&["url", "-e", "staging"], 129, "usage", "'staging'"),
        ],
    );
    shape::refuses(&env, &env.root(), &[(&["url"], 128, "not_a_repository", "not a git repository")]);
}
