//! `git port import`

mod conflicts;
mod formats;
mod listening;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Run, TestEnv, shape};

/// An environment with the built-in ranges, which the samples are written for.
fn built_in() -> TestEnv {
    let mut env = TestEnv::new();
    for name in ["DEV", "TEST", "PRODUCTION"] {
        env.set(&format!("GIT_PORT_RANGES_{name}"), "");
    }
    env
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import").join(name)
}

/// Writes a document and imports it with these words.
fn import(env: &TestEnv, dir: &Path, name: &str, text: &str, words: &str) -> Run {
    let file = env.root().join(name);
    fs::write(&file, text).unwrap();
    let words = words.split_whitespace();
    env.git_port(dir, ["import", file.to_str().unwrap()].into_iter().chain(words))
}

/// The rows of a list as `port project/service environment`.
fn rows(object: &Value, list: &str) -> Vec<String> {
    let list = object[list].as_array().unwrap_or_else(|| panic!("no '{list}' in {object}"));
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let row = |one: &Value| {
        let (project, service) = (text(one, "project"), text(one, "service"));
        format!("{} {project}/{service} {}", one["port"], text(one, "environment"))
    };
    list.iter().map(row).collect()
}

#[test]
fn the_dry_run_and_the_real_thing_say_the_same() {
    let env = built_in();
    let root = env.root();
    let file = sample("ports.csv");
    let words = ["import", file.to_str().unwrap()];
    let books = env.books();
    let dry = env.git_port(&root, words.iter().copied().chain(["--dry-run"])).success();
    assert_eq!(env.books(), books, "a dry run changes nothing");
    let real = env.git_port(&root, words).success();
    assert_eq!(dry.stdout, real.stdout);
    assert_eq!(real.stdout.lines().next(), Some("+ 7001 shop/suite (test)"));
    assert_eq!(real.stdout.lines().last(), Some("+ 3 new"));
    let again = env.git_port(&root, words).success();
    assert_eq!(again.stdout.lines().last(), Some("= 3 same"), "{again:?}");
    assert_eq!(env.listed(&root, "--all"), [7001, 8001, 8002]);
    let one = env.json(&root, "list --project shop");
    assert_eq!(one["allocations"][1]["description"], "The shop, for people");
    let history = env.json(&root, "history 8001");
    assert!(history["events"][0]["reason"].as_str().unwrap().starts_with("imported from '"), "{history}");
}

#[test]
fn the_object_has_every_list() {
    let env = built_in();
    let file = sample("compose.yaml");
    let object = env.git_port(&env.root(), ["import", "--json", file.to_str().unwrap()]).success().object();
    let lists =
        ["added", "same", "conflicts", "out_of_range", "skipped", "reservations", "replaced", "unclear"];
    shape::lists(&object, &lists);
    assert_eq!(object["dry_run"], false);
    shape::has(&object["added"][0], shape::ALLOCATION);
    assert!(object["out_of_range"][0]["reason"].as_str().unwrap().contains("outside the range"));
    assert!(object["skipped"][0]["reason"].is_string());
    assert!(object.get("error").is_none());
}

#[test]
fn rows_without_a_project_belong_to_the_worktree_one_stands_in() {
    let env = built_in();
    let repo = env.repo("shop");
    let run = import(&env, &repo, ".env", "PORT=8005\nWEB_PORT=8005\nAPI_PORT=8006\n", "").success();
    assert_eq!(run.stdout.lines().last(), Some("+ 2 new"), "{run:?}");
    let web = env.one(&repo, "get");
    assert_eq!((&web["port"], &web["service"], &web["primary"]), (&8005.into(), &"web".into(), &true.into()));
    assert_eq!(env.one(&repo, "get api")["worktree"], repo.to_str().unwrap());
    let variables = fs::read_to_string(repo.join(".git-port.env")).unwrap();
    assert!(variables.contains("API_PORT=8006"), "its copies follow: {variables}");
    // A bare PORT is the service that the worktree would have.
    let other = env.repo("pay");
    import(&env, &other, ".env", "PORT=8007\n", "").success();
    assert_eq!(env.one(&other, "get --no-allocate")["service"], "pay-main");
}

#[test]
fn outside_a_repository_the_project_must_be_named() {
    let env = built_in();
    let run = import(&env, &env.root(), "a.csv", "port,service\n8001,web\n", "").exits_with(129);
    assert!(run.stderr.contains("a.csv', line 2: no project is named for port 8001"), "{run:?}");
    assert!(run.stderr.contains("--project"), "{run:?}");
    let run = import(&env, &env.root(), "a.csv", "port,service\n8001,web\n", "--project edge").success();
    assert_eq!(run.stdout, "+ 8001 edge/web (dev)\n+ 1 new\n");
}

#[test]
fn standard_input_is_read() {
    use std::io::Write;
    use std::process::Stdio;
    let env = built_in();
    let mut command = env.command(crate::support::GIT_PORT, &env.root());
    command.args(["import", "-", "--project", "edge"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"Port,Service\r\n8001,web\r\n").unwrap();
    let run = Run::of(child.wait_with_output().unwrap()).success();
    assert_eq!(run.stdout, "+ 8001 edge/web (dev)\n+ 1 new\n");
}

#[test]
fn a_documentation_table_becomes_production() {
    let env = built_in();
    let file = sample("ports.md");
    let words = ["import", file.to_str().unwrap(), "-e", "production", "--project", "edge"];
    let run = env.git_port(&env.root(), words).success();
    assert!(run.stdout.ends_with("+ 5 new, - 1 skipped\n"), "{run:?}");
    assert!(run.stdout.contains("- line 10: \u{2013}: "), "{run:?}");
    let list = env.json(&env.root(), "list --environment production");
    let first = &list["allocations"][0];
    assert_eq!((&first["port"], &first["service"]), (&443.into(), &"nginx".into()));
    assert_eq!(first["description"], "The front door");
    assert_eq!(first["public_hostname"], "shop.example.org");
    assert_eq!(first["worktree"], Value::Null);
}

#[test]
fn production_ports_do_not_lie_where_others_are_given_theirs() {
    let env = built_in();
    let text = "| Port | Service |\n| --- | --- |\n| 8001 | api |\n| 9001 | web |\n";
    let run = import(&env, &env.root(), "p.md", text, "-e production -p edge").exits_with(4);
    assert!(
        run.stdout.contains("~ 8001 edge/api (production): port 8001 lies in the range of 'dev'"),
        "{run:?}"
    );
    assert_eq!(env.listed(&env.root(), "--all").len(), 0, "all or nothing");
    import(&env, &env.root(), "p.md", text, "-e production -p edge --force").success();
    assert_eq!(env.listed(&env.root(), "--all"), [8001, 9001]);

    let run = env.git_port(&env.root(), ["allocate", "x", "production", "8002", "--project", "edge"]);
    let run = run.exits_with(4);
    assert!(run.stderr.contains("port 8002 lies in the range of 'dev' (8000-8999)"), "{run:?}");
    let run =
        env.git_port(&env.root(), ["allocate", "x", "production", "7002", "--project", "edge", "--json"]);
    assert!(shape::error(&run.exits_with(4).object(), "conflict").contains("'test' (7000-7999)"));
    env.ok(&env.root(), "allocate x production 8002 --project edge --force");
    let run = env.git_port(
        &env.root(),
        ["allocate", "nginx", "production", "443", "--project", "edge", "--description", "The front door"],
    );
    assert_eq!(run.success().stderr, "");
    assert_eq!(env.listed(&env.root(), "--project edge"), [443, 8001, 8002, 9001]);
}

#[test]
fn ten_thousand_rows_take_a_moment() {
    let env = built_in();
    let mut text = "port,service,project\n".to_owned();
    for port in 10_000..20_000 {
        text += &format!("{port},s{port},big\n");
    }
    let started = Instant::now();
    let run = import(&env, &env.root(), "big.csv", &text, "").success();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(run.stdout.lines().count(), 10_001);
    assert_eq!(env.listed(&env.root(), "--project big").len(), 10_000);
}

#[test]
fn what_is_malformed_imports_nothing_and_names_the_line() {
    let env = built_in();
    let root = env.root();
    let books = env.books();
    for (name, text, message) in [
        ("a.csv", "port,service\n8001,web\n80a,api\n", "line 3: '80a' is not a port"),
        ("a.csv", "port,service\n8001,web\n8002,api,more,and\n", "line 3: 4 values for 2 columns"),
        ("a.csv", "service,what\nweb,x\n", "line 1: no column is called 'port'"),
        ("a.csv", "port,service,status\n8001,web,gone\n", "line 2: 'gone' is not a status"),
        ("a.csv", "port,service,environment\n8001,web,a b\n", "line 2: 'a b' is not an environment"),
        ("a.csv", "port,service,allocated_at\n8001,web,soon\n", "line 2: 'soon' is no time"),
        ("a.json", "{\"ports\":\n[{\"port\":8001,]}", "line 2: "),
        ("a.json", "[{\"port\":8001},{\"service\":\"x\"}]", "row 2: it has no 'port'"),
        ("a.json", "[1]", "row 1: it is no object"),
        ("a.json", "{}", "this JSON is no export"),
        ("compose.yaml", "services:\n  web: [\n", "line "),
        ("compose.yaml", "services:\n  web:\n    ports: ['web:80']\n", "web: web:80"),
        ("compose.yaml", "version: '3'\n", "no 'services'"),
        ("services", "ssh 22\n", "line 1: 'ssh 22' is not a service"),
        ("a.md", "# Nothing\n", "no table has a column for ports"),
        (
            "a.sql",
            "COPY remote_agent_port_allocations (port, service_name) FROM stdin;\n8001\tweb\n",
            "does not end with",
        ),
        (
            "a.sql",
            "\nINSERT INTO remote_agent_port_allocations (port, service_name) VALUES (8001, 'we",
            "line 2: a value of the INSERT never ends",
        ),
        ("a.json", "{\"version\":9,\"kind\":\"git-port export\"}", "a newer git-port wrote this"),
        ("a.txt", "hello\n", "it cannot be told what format this is"),
    ] {
        let run = import(&env, &root, name, text, "--project edge").exits_with(129);
        assert!(run.stderr.contains(message), "{name} {text:?}: {run:?}");
        assert!(run.stderr.contains(name) && run.stdout.is_empty(), "{name} {text:?}: {run:?}");
    }
    fs::write(root.join("b.csv"), b"port,service\n8001,\xff\n").unwrap();
    let run = env.git_port(&root, ["import", "b.csv"]).exits_with(129);
    assert!(run.stderr.contains("line 2: this is not UTF-8 text"), "{run:?}");
    let large = fs::File::create(root.join("c.csv")).unwrap();
    large.set_len(65 * 1024 * 1024).unwrap();
    let run = env.git_port(&root, ["import", "c.csv"]);
    assert!(run.status == 128 && run.stderr.contains("is larger than 64 MiB"), "{run:?}");
    assert_eq!(env.books(), books);
}

#[test]
fn what_is_refused() {
    let env = built_in();
    shape::refuses(
        &env,
        &env.root(),
        &[
            (&["import"], 129, "usage", "<file>"),
            (&["import", "nowhere.csv"], 1, "not_found", "'nowhere.csv'"),
            (&["import", "x", "--format", "xml"], 129, "usage", "'xml'"),
            (&["import", "x", "--on-conflict", "ask"], 129, "usage", "'ask'"),
            (&["import", "x", "--from", "listening"], 129, "usage", "--from"),
            (&["import", "--from", "afar"], 129, "usage", "'afar'"),
        ],
    );
}

#[test]
fn hostile_names_are_made_harmless() {
    let env = built_in();
    let text = "port,service,project,description,branch\n\
        8001,$(touch x),../../etc,\"\u{1b}[31m\",`id`\n8002,web; rm -rf /,a|b,\u{202e}x,\n";
    let run = import(&env, &env.root(), "evil.csv", text, "").success();
    assert!(!run.stdout.contains('\u{1b}'), "{run:?}");
    let list = env.json(&env.root(), "list --all");
    for one in list["allocations"].as_array().unwrap() {
        let plain = |name: &str| {
            let text = one[name].as_str().unwrap();
            assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)), "{one}");
        };
        plain("service");
        plain("project");
        plain("variable");
    }
    for format in ["markdown", "csv", "caddy", "nginx", "traefik", "compose", "dotenv"] {
        let text = env.ok(&env.root(), &format!("export --all --format {format}"));
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains("$("), "{text}");
    }
}
