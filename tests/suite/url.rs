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
fn a_name_of_the_worktrees_own() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create topic --service web");
    env.git(&repo, ["worktree", "add", "-q", "-b", "x", "../Other_Place"]);
    let [topic, other] = ["shop-topic", "Other_Place"].map(|name| env.root().join(name));
    let port = env.listed(&topic, "--worktree")[0];
    assert_eq!(env.ok(&topic, "url --named"), format!("http://topic.shop.localhost:{port}\n"));
    assert_eq!(env.ok(&topic, "url"), format!("http://localhost:{port}\n"), "programs may not find a name");
    let url = env.ok(&other, "url --named");
    assert!(url.starts_with("http://other-place.shop.localhost:"), "{url}");
    assert_eq!(env.one(&other, "url --named")["url"], url.trim());
    assert!(env.ok(&repo, "url --named").starts_with("http://shop.localhost:"));
    env.ok(&env.root(), "allocate api --project edge");
    assert!(env.ok(&env.root(), "url edge/api --named").starts_with("http://edge.localhost:"));
    env.ok(&repo, "allocate store --type postgres");
    shape::refuses(&env, &repo, &[(&["url", "store", "--named"], 1, "not_found", "'store'")]);
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
