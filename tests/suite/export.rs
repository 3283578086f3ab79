//! `git port export`

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::{TestEnv, shape};

/// A registry with all there can be in one.
fn furnished() -> TestEnv {
    let mut env = TestEnv::new();
    env.set("PORT_AUTO_CLEANUP", "false");
    let repo = env.repo("shop");
    env.git_port(&repo, ["allocate", "web", "--description", "The \u{e9}t\u{e9} \u{202e}, \"quoted\" | `x`"])
        .success();
    env.ok(&repo, "allocate db --type postgres");
    env.ok(&repo, "worktree create feature/api --service web --service api");
    env.ok(&repo, "allocate gone");
    env.ok(&repo, "release gone");
    env.git_port(&env.root(), ["allocate", "nginx", "production", "443", "--project", "edge"]).success();
    env.ok(&env.root(), "allocate dns --project edge --protocol udp");
    env.ok(&env.root(), &format!("range set consilio {}-{}", env.port(90), env.port(95)));
    env.ok(&env.root(), &format!("reserve {} --reason theirs", env.port(96)));
    env
}

fn wipe(env: &TestEnv) {
    for entry in fs::read_dir(env.registry().parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("registry.db") && path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
}

fn round_trip(env: &TestEnv, root: &Path) -> String {
    let first = env.ok(root, "export --all --released");
    assert_eq!(env.ok(root, "export --all --released"), first, "the same registry, the same bytes");
    env.ok(root, "export --all --released --output backup.json");
    assert_eq!(fs::read_to_string(root.join("backup.json")).unwrap(), first);
    wipe(env);
    assert_eq!(env.listed(root, "--all --released").len(), 0);
    env.ok(root, "import backup.json");
    assert_eq!(env.ok(root, "export --all --released"), first);
    let again = env.ok(root, "import backup.json");
    assert!(again.lines().last().unwrap().ends_with(" same"), "{again}");
    first
}

#[test]
fn what_is_exported_wiped_and_imported_is_the_same() {
    let env = furnished();
    let root = env.root();
    let text = round_trip(&env, &root);
    assert!(!text.contains('\u{202e}') && text.contains('\u{e9}'), "{text}");
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&object["version"], &object["kind"]), (&json!(1), &json!("git-port export")));
    assert_eq!(object["allocations"].as_array().unwrap().len(), 7);
    assert_eq!(object["worktrees"].as_array().unwrap().len(), 2);
    assert_eq!(object["ranges"].as_array().unwrap().len(), 1);
    assert_eq!(object["reservations"][0]["reason"], "theirs");
    // The worktrees are known again, by their tokens.
    let repo = root.join("shop");
    assert_eq!(env.one(&repo, "get --no-allocate")["port"], env.port(0));
}

#[cfg(unix)]
#[test]
fn paths_that_are_no_text_survive() {
    use std::os::unix::ffi::OsStringExt;
    let env = TestEnv::new();
    let folder = env.root().join(std::ffi::OsString::from_vec(b"sh\xffop\n".to_vec()));
    let plain = env.repo("plain");
    fs::rename(&plain, &folder).unwrap();
    env.git_port(&folder, ["allocate", "web", "--json"]).success();
    let text = round_trip(&env, &env.root());
    assert!(text.contains("\"bytes\": \""), "{text}");
    assert_eq!(env.one(&folder, "get --no-allocate")["port"], env.port(0));
}

#[test]
fn an_older_reader_and_a_newer_field_get_along() {
    let env = furnished();
    let text = env.ok(&env.root(), "export --all");
    let text = text.replacen("\"kind\"", "\"invented_later\": [1],\n  \"kind\"", 1);
    wipe(&env);
    fs::write(env.root().join("new.json"), text).unwrap();
    env.ok(&env.root(), "import new.json");
    assert_eq!(env.listed(&env.root(), "--all").len(), 6);
}

#[test]
fn what_is_exported_follows_where_one_stands_and_what_is_asked() {
    let env = furnished();
    let repo = env.root().join("shop");
    let count = |words: &str| {
        let text = env.ok(&repo, &format!("export {words}"));
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        object["allocations"].as_array().unwrap().len()
    };
    assert_eq!(count(""), 4);
    assert_eq!(count("--released"), 5);
    assert_eq!(count("--all"), 6);
    assert_eq!(count("--project edge"), 2);
    assert_eq!(count("--all --environment production"), 1);
    let part: serde_json::Value = serde_json::from_str(&env.ok(&repo, "export --project edge")).unwrap();
    assert_eq!(
        (&part["ranges"], &part["reservations"], &part["worktrees"]),
        (&json!([]), &json!([]), &json!([]))
    );
}

#[test]
fn csv_and_markdown_are_read_back() {
    let env = furnished();
    let root = env.root();
    let csv = env.ok(&root, "export --all --released --format csv");
    assert!(csv.starts_with("port,protocol,project,service,environment,status,worktree,branch,"), "{csv}");
    assert_eq!(csv.lines().count(), 8);
    let table = env.ok(&root, "export --all --format markdown");
    assert!(table.starts_with("| Port | Project | Service |"), "{table}");
    assert!(table.contains(r"\| \`x\`"), "{table}");
    for (name, text) in [("back.csv", csv), ("back.md", table)] {
        fs::write(root.join(name), text).unwrap();
        let again = env.ok(&root, &format!("import {name}"));
        assert!(again.lines().last().unwrap().ends_with(" same"), "{name}: {again}");
    }
    // A spreadsheet would run it.
    env.git_port(&root, ["allocate", "sum", "--project", "edge", "--description", "=1+1"]).success();
    let csv = env.ok(&root, "export --project edge --format csv");
    assert!(csv.contains(",'=1+1,"), "{csv}");
    wipe(&env);
    fs::write(root.join("back.csv"), csv).unwrap();
    env.ok(&root, "import back.csv");
    let list = env.json(&root, "list --project edge");
    assert!(list["allocations"].as_array().unwrap().iter().any(|one| one["description"] == "=1+1"), "{list}");
}

#[test]
fn variables_and_compose() {
    let env = furnished();
    let root = env.root();
    let (web, db) = (env.port(0), env.port(1));
    let text = env.ok(&root, "export --all --format dotenv");
    for line in [format!("SHOP_SHOP_WEB_PORT={web}"), format!("DB_PORT={db}"), "NGINX_PORT=443".to_owned()] {
        assert!(text.lines().any(|has| has == line), "{line}: {text}");
    }
    let names: Vec<&str> =
        text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let unique: std::collections::BTreeSet<&&str> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "{text}");
    let text = env.ok(&root, "export --all --format compose");
    assert!(
        text.contains(&format!("  \"db\":\n    ports: !override\n      - \"127.0.0.1:{db}:{db}\"\n")),
        "{text}"
    );
    fs::write(root.join("compose.yaml"), text).unwrap();
    let plan = env.git_port(&root, ["import", "--dry-run", "compose.yaml", "--project", "new", "--json"]);
    let plan = plan.exits_with(4).object();
    assert_eq!(plan["conflicts"].as_array().unwrap().len(), 6, "all are read: {plan}");
}

#[test]
fn reverse_proxies_get_names() {
    let env = furnished();
    let root = env.root();
    let (web, api) = (env.port(2), env.port(3));
    let caddy = env.ok(&root, "export --all --format caddy");
    let site = |name: &str, port: u16| {
        format!("\nhttp://{name}.localhost {{\n\treverse_proxy localhost:{port}\n}}\n")
    };
    assert!(caddy.contains(&site("shop-feature-api.shop", web)), "{caddy}");
    assert!(caddy.contains(&site("api.shop-feature-api.shop", api)), "{caddy}");
    assert!(caddy.contains(&site("nginx.edge", 443)), "{caddy}");
    assert!(!caddy.contains("db.") && !caddy.contains("dns."), "they speak no HTTP: {caddy}");
    let traefik = env.ok(&root, "export --all --format traefik");
    let router =
        "    \"shop-feature-api-shop-localhost\":\n      rule: \"Host(`shop-feature-api.shop.localhost`)\"\n";
    assert!(traefik.contains(router), "{traefik}");
    assert!(traefik.contains(&format!("- url: \"http://localhost:{web}\"\n")), "{traefik}");
    let nginx = env.ok(&root, "export --all --format nginx");
    assert!(nginx.contains("server_name shop-feature-api.shop.localhost;"), "{nginx}");
    assert!(nginx.contains(&format!("proxy_pass http://localhost:{web};")), "{nginx}");
}

#[test]
fn an_empty_registry_is_a_document_too() {
    let env = TestEnv::new();
    for format in ["json", "csv", "markdown", "dotenv", "compose", "caddy", "traefik", "nginx"] {
        let text = env.ok(&env.root(), &format!("export --format {format}"));
        assert!(text.ends_with('\n'), "{format}: {text:?}");
    }
}

#[test]
fn a_file_is_replaced_whole_and_never_through_a_link() {
    let env = furnished();
    let root = env.root();
    let run = env.git_port(&root, ["export", "--all", "-o", "out.csv", "--format", "csv"]).success();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "Exported 6 ports to 'out.csv'\n"));
    let object = env.json(&root, "export --all --format csv");
    assert_eq!((&object["format"], &object["count"]), (&json!("csv"), &json!(6)));
    assert_eq!(object["text"], fs::read_to_string(root.join("out.csv")).unwrap());
    let object = env.json(&root, "export --all --output out.json");
    assert_eq!((&object["output"], &object["text"]), (&json!("out.json"), &json!(null)));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("out.csv", root.join("link")).unwrap();
        let before = fs::read(root.join("out.csv")).unwrap();
        let run = env.git_port(&root, ["export", "--all", "-o", "link"]).exits_with(128);
        assert!(run.stderr.contains("is a symbolic link"), "{run:?}");
        assert_eq!(fs::read(root.join("out.csv")).unwrap(), before);
    }
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    shape::refuses(
        &env,
        &env.root(),
        &[
            (&["export", "--format", "xml"], 129, "usage", "'xml'"),
            (&["export", "--all", "--project", "x"], 129, "usage", "--project"),
            (&["export", "--project", "a b"], 129, "usage", "'a b'"),
            (&["export", "--environment", "A"], 129, "usage", "'A'"),
            (&["export", "file"], 129, "usage", "'file'"),
            (&["export", "--output", "nowhere/x.json"], 128, "denied", "nowhere/x.json"),
        ],
    );
}
