//! `git port trust`

use std::fs;

use crate::support::{TestEnv, shape};

const FOLDER: &str = ".git-port/templates";

fn repo_with_template(env: &TestEnv, name: &str) -> std::path::PathBuf {
    let repo = env.repo(name);
    fs::create_dir_all(repo.join(FOLDER)).unwrap();
    fs::write(repo.join(FOLDER).join("proxy.j2"), "{{ primary.port }}\n").unwrap();
    repo
}

#[test]
fn a_repositorys_templates_are_inert_until_they_are_trusted() {
    let env = TestEnv::new();
    let repo = repo_with_template(&env, "shop");
    let run = env.git_port(&repo, ["template", "proxy"]).exits_with(5);
    assert!(run.stdout.is_empty() && run.stderr.contains("is not trusted"), "{run:?}");
    assert!(run.stderr.contains("git port trust"), "{run:?}");
    let listed = env.json(&repo, "template --list");
    let one = listed["templates"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&one["name"], &one["trusted"]), (&"proxy".into(), &false.into()));

    let trusted = env.json(&repo, "trust");
    assert_eq!((&trusted["changed"], &trusted["templates"][0]), (&true.into(), &"proxy".into()));
    assert_eq!(trusted["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(env.ok(&repo, "template proxy"), format!("{}\n", env.port(0)));
    assert_eq!(env.json(&repo, "template proxy")["origin"], "repository");
    assert_eq!(env.json(&repo, "trust")["changed"], false, "once is enough");
    let listed = env.json(&env.root(), "trust --list");
    assert_eq!(listed["trusted"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["trusted"][0]["sha256"], trusted["sha256"]);
    assert!(env.ok(&repo, "trust --list").contains(repo.to_str().unwrap()));
}

#[test]
fn any_change_takes_the_trust_away() {
    let env = TestEnv::new();
    let repo = repo_with_template(&env, "shop");
    env.ok(&repo, "trust");
    let template = repo.join(FOLDER).join("proxy.j2");
    let trusted = fs::read(&template).unwrap();
    let inert = |why: &str| {
        let run = env.git_port(&repo, ["template", "proxy"]).exits_with(5);
        assert!(run.stderr.contains("have changed since they were trusted"), "{why}: {run:?}");
    };
    fs::write(&template, "{{ primary.port }} \n").unwrap();
    inert("another text");
    fs::write(&template, &trusted).unwrap();
    env.ok(&repo, "template proxy");
    fs::write(repo.join(FOLDER).join("vite.j2"), "x\n").unwrap();
    inert("one more");
    // A built-in one of that name goes on being used, and it is told.
    let run = env.git_port(&repo, ["template", "vite"]).success();
    assert!(
        run.stdout.contains("strictPort") && run.stderr.contains("the built-in template is used"),
        "{run:?}"
    );
    env.ok(&repo, "trust");
    assert_eq!(env.ok(&repo, "template vite"), "x\n");
    // Names and texts cannot be shifted against each other.
    fs::rename(repo.join(FOLDER).join("vite.j2"), repo.join(FOLDER).join("vit.j2")).unwrap();
    inert("another name");
}

#[test]
fn trust_can_be_revoked() {
    let env = TestEnv::new();
    let repo = repo_with_template(&env, "shop");
    env.ok(&repo, "trust");
    assert_eq!(env.json(&repo, "trust --revoke")["changed"], true);
    env.git_port(&repo, ["template", "proxy"]).exits_with(5);
    assert_eq!(env.json(&repo, "trust --revoke")["changed"], false);
    assert_eq!(env.json(&repo, "trust --list")["trusted"].as_array().unwrap().len(), 0);
}

#[test]
fn trust_is_for_one_path_and_all_its_worktrees() {
    let env = TestEnv::new();
    let repo = repo_with_template(&env, "shop");
    env.ok(&repo, "trust");
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "--quiet", "-m", "templates"]);
    env.ok(&repo, "worktree create topic");
    let linked = env.root().join("shop-topic");
    env.ok(&linked, "template proxy");
    let clone = env.root().join("clone");
    env.git(&env.root(), ["clone", "--quiet", repo.to_str().unwrap(), clone.to_str().unwrap()]);
    env.git_port(&clone, ["template", "proxy"]).exits_with(5);
    // What the repository itself says about trust is not heard.
    let kept = env.home().join(".local/state/git-port/trust.json");
    for place in [clone.join(".git-port/trust.json"), clone.join(".git/git-port/trust.json")] {
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(&kept, place).unwrap();
    }
    env.git_port(&clone, ["template", "proxy"]).exits_with(5);
    let text = fs::read_to_string(&kept).unwrap();
    assert!(text.ends_with('\n') && !text.contains("primary.port"));
}

#[cfg(unix)]
#[test]
fn links_and_what_is_no_text_are_no_templates() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let env = TestEnv::new();
    let repo = repo_with_template(&env, "shop");
    let secret = env.root().join("secret");
    fs::write(&secret, "secret\n").unwrap();
    symlink(&secret, repo.join(FOLDER).join("leak.j2")).unwrap();
    fs::write(repo.join(FOLDER).join("bytes.j2"), b"\xff\n").unwrap();
    fs::write(repo.join(FOLDER).join("Bad Name.j2"), "x").unwrap();
    std::process::Command::new("mkfifo").arg(repo.join(FOLDER).join("pipe.j2")).status().unwrap();
    assert_eq!(env.json(&repo, "trust")["templates"].as_array().unwrap().len(), 1);
    for name in ["leak", "bytes", "pipe"] {
        env.git_port(&repo, ["template", name]).exits_with(1);
    }
    let kept = env.home().join(".local/state/git-port/trust.json");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    // A folder that is a link leads out of the repository.
    let other = env.repo("other");
    symlink(repo.join(".git-port"), other.join(".git-port")).unwrap();
    let run = env.git_port(&other, ["trust"]).exits_with(1);
    assert!(run.stderr.contains("has no templates"), "{run:?}");
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    shape::refuses(
        &env,
        &repo,
        &[
            (&["trust"], 1, "not_found", "no templates"),
            (&["trust", "--list", "--revoke"], 129, "usage", "--revoke"),
            (&["trust", "x"], 129, "usage", "'x'"),
        ],
    );
    shape::refuses(&env, &env.root(), &[(&["trust"], 128, "not_a_repository", "not a git repository")]);
    let kept = env.home().join(".local/state/git-port/trust.json");
    fs::create_dir_all(kept.parent().unwrap()).unwrap();
    fs::write(&kept, "{nonsense").unwrap();
    shape::refuses(&env, &repo, &[(&["trust", "--list"], 128, "config", "is damaged")]);
}
