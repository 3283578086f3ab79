//! `git port dashboard`: who may ask, what is answered, and how soon a change is told.

mod browser;
mod guard;
mod load;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use git_port::ops::catalogue::{Effect, OPERATIONS};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::page::Page;
use crate::support::{GIT_PORT, Run, TestEnv};

/// An environment in which no time passes, so that two answers can be compared.
fn timeless() -> TestEnv {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
    env
}

/// What the dashboard shows of this port.
fn row(message: &Value, port: u16) -> Option<&Value> {
    message["set"].as_array()?.iter().find(|row| row["port"] == port)
}

#[test]
fn the_api_answers_as_the_commands_do() {
    let env = timeless();
    let shop = env.repo("shop");
    env.ok(&shop, "allocate web api");
    env.ok(&shop, "reserve 3000");
    let page = Page::start(&env, &shop);
    let root = env.root();
    let port = env.port(0);
    for (path, words) in [
        ("/api/allocations", "list --all".to_owned()),
        ("/api/allocations?project=shop&state=allocated", "list --project shop --state allocated".to_owned()),
        (
            &format!("/api/allocations?worktree={}", shop.display()),
            format!("list --worktree {}", shop.display()),
        ),
        ("/api/stats", "stats".to_owned()),
        ("/api/stats?environment=test", "stats test".to_owned()),
        ("/api/ranges", "range list".to_owned()),
        ("/api/audit", "audit".to_owned()),
        ("/api/history?limit=2", "history --limit 2".to_owned()),
        (&format!("/api/history?port={port}"), format!("history {port}")),
        (&format!("/api/check?port={port}"), format!("check {port}")),
        ("/api/cleanup?older_than=1d", "cleanup --dry-run --older-than 1d".to_owned()),
    ] {
        let answer = page.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.object(), env.json(&root, &words), "{path}");
    }
    // The ids of the overview are its own; all else of a row is an allocation.
    let overview = page.get("/api/overview").object();
    let mut rows = overview["allocations"].clone();
    for row in rows.as_array_mut().unwrap() {
        let row = row.as_object_mut().unwrap();
        assert!(row.remove("id").unwrap().is_i64() && row["user"] == "tester");
    }
    assert_eq!(rows, env.json(&root, "list --all")["allocations"]);
    for (path, status, code) in [
        ("/api/nothing", 404, "not_found"),
        ("/nothing", 404, "not_found"),
        ("/api/allocations?port=0", 400, "usage"),
        ("/api/allocations?colour=red", 400, "usage"),
        ("/api/stats?port=1", 400, "usage"),
        ("/api/stats?environment=nowhere", 400, "usage"),
        ("/api/check", 400, "usage"),
        ("/api/cleanup?older_than=soon", 400, "usage"),
        ("/api/release", 405, "usage"),
    ] {
        let answer = page.get(path);
        assert_eq!(
            (answer.status, answer.object()["error"]["code"].as_str()),
            (status, Some(code)),
            "{path}"
        );
    }
}

#[test]
fn the_page_offers_what_the_table_of_operations_says() {
    let env = TestEnv::new();
    let page = Page::start(&env, &env.root());
    for operation in OPERATIONS.iter().filter(|operation| operation.web) {
        let path = match operation.name {
            "list" => "/api/allocations".to_owned(),
            "range" => "/api/ranges".to_owned(),
            name => format!("/api/{name}"),
        };
        // What takes something away is never a question. A cleanup has a preview; ranges are only read.
        let status = page.get(&path).status;
        let reads = operation.effect == Effect::Reads || ["cleanup", "range"].contains(&operation.name);
        assert_eq!(status != 405, reads, "{path}: {status}");
        assert_ne!(status, 404, "{path}");
        if !reads {
            assert_eq!(page.post(&path, &json!({ "x": 1 })).status, 400, "{path}");
        }
    }
}

#[test]
fn what_is_changed_by_the_page_is_changed() {
    let env = timeless();
    let shop = env.repo("shop");
    env.ok(&shop, "allocate web");
    let page = Page::start(&env, &env.root());
    let (web, api) = (env.port(0), env.port(1));

    let allocate = json!({ "services": ["api"], "worktree": shop, "description": "<b>&" });
    let allocated = page.post("/api/allocate", &allocate).object();
    assert_eq!(
        (&allocated["allocations"][0]["port"], &allocated["allocations"][0]["created"]),
        (&json!(api), &json!(true))
    );
    assert!(fs::read_to_string(shop.join(".git-port.env")).unwrap().contains(&format!("API_PORT={api}")));
    let update = json!({ "port": api, "pinned": true, "description": "" });
    let updated = page.post("/api/update", &update).object();
    assert_eq!(updated["allocations"][0]["pinned"], true);
    assert_eq!(updated["allocations"][0]["description"], Value::Null);
    assert_eq!(env.listed(&shop, "--worktree ."), [u64::from(web), u64::from(api)]);
}

#[test]
fn a_release_can_be_taken_back_until_somebody_has_the_port() {
    let env = TestEnv::new();
    let shop = env.repo("shop");
    env.ok(&shop, "allocate web --description kept");
    env.ok(&shop, &format!("update {} --pin", env.port(0)));
    let page = Page::start(&env, &env.root());
    let before = env.one(&shop, "list");
    let file = || fs::read_to_string(shop.join(".git-port.env")).unwrap_or_default();
    let text = file();
    let release = || {
        let released = page.post("/api/release", &json!({ "ports": [env.port(0)] })).object();
        released["released"][0]["released_at"].clone()
    };
    let at = release();
    assert!(!file().contains("PORT="));
    let undo = json!({ "port": env.port(0), "released_at": at });
    assert_eq!(page.post("/api/undo", &undo).status, 200);
    assert_eq!(env.one(&shop, "list"), before);
    assert_eq!(file(), text);
    // Once is enough, and only what was released can be taken back.
    let again = page.post("/api/undo", &undo);
    assert_eq!((again.status, again.object()["error"]["code"].as_str()), (409, Some("conflict")));

    let at = release();
    env.ok(&env.root(), &format!("allocate other --project pay --port {}", env.port(0)));
    let late = page.post("/api/undo", &json!({ "port": env.port(0), "released_at": at }));
    assert_eq!(late.status, 409, "{late:?}");
    let never = json!({ "port": env.port(7), "released_at": "2026-01-01T00:00:00Z" });
    assert_eq!(page.post("/api/undo", &never).status, 404);
}

#[test]
fn a_cleanup_does_what_its_preview_said() {
    let env = TestEnv::new();
    let shop = env.repo("shop");
    env.ok(&shop, "worktree create topic");
    let gone = env.root().join("shop-topic");
    fs::remove_dir_all(&gone).unwrap();
    let page = Page::start(&env, &env.root());
    let preview = page.get("/api/cleanup").object();
    assert_eq!(preview["dry_run"], true);
    let done = page.post("/api/cleanup", &json!({})).object();
    let ports = |plan: &Value| -> Vec<Value> {
        plan["released"].as_array().unwrap().iter().map(|one| one["port"].clone()).collect()
    };
    assert_eq!((ports(&preview).len(), ports(&done)), (1, ports(&preview)));
    assert_eq!(page.get("/api/cleanup").object()["released"], json!([]));
}

#[test]
fn what_is_no_request_changes_nothing() {
    let env = TestEnv::new();
    let shop = env.repo("shop");
    env.ok(&shop, "allocate web");
    let page = Page::start(&env, &env.root());
    let books = env.books();
    let elsewhere = env.repo("elsewhere");
    for (path, body, status) in [
        ("/api/release", json!({}), 400),
        ("/api/release", json!({ "ports": [] }), 400),
        ("/api/release", json!({ "ports": [0] }), 400),
        ("/api/release", json!({ "ports": [70000] }), 400),
        ("/api/release", json!({ "ports": [env.port(0)], "force": true }), 400),
        ("/api/release", json!({ "ports": [env.port(0), env.port(5)] }), 404),
        ("/api/update", json!({ "port": env.port(5), "pinned": true }), 404),
        ("/api/update", json!({ "port": env.port(0), "service": "../x" }), 400),
        ("/api/update", json!({ "port": env.port(0), "public_hostname": "a b" }), 400),
        ("/api/allocate", json!({ "services": ["db"] }), 400),
        ("/api/allocate", json!({ "services": ["db"], "worktree": elsewhere }), 404),
        ("/api/allocate", json!({ "services": ["db"], "worktree": "/" }), 404),
        ("/api/allocate", json!({ "services": ["D B"], "project": "pay" }), 400),
        ("/api/allocate", json!({ "services": ["a", "b"], "project": "pay", "port": env.port(9) }), 400),
        ("/api/cleanup", json!({ "older_than": "x" }), 400),
        ("/api/allocations", json!({}), 405),
    ] {
        let answer = page.post(path, &body);
        assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
        assert!(answer.object()["error"]["message"].is_string());
    }
    let headers = page.credentials();
    let release = json!({ "ports": [env.port(0)] }).to_string();
    let plain = headers.clone() + "Content-Type: text/plain\r\n";
    assert_eq!(page.ask("POST", "/api/release", &plain, &release).status, 415);
    assert_eq!(page.ask("POST", "/api/release", &headers, &release).status, 415);
    let json = headers + "Content-Type: application/json\r\n";
    assert_eq!(page.ask("POST", "/api/release", &json, "{").status, 400);
    assert_eq!(page.ask("POST", "/api/release", &json, &" ".repeat(70_000)).status, 413);
    assert_eq!(env.books(), books);
}

#[test]
fn a_change_by_another_process_is_told_within_a_second() {
    let env = TestEnv::new();
    let shop = env.repo("shop");
    let page = Page::start(&env, &env.root());
    let mut follower = page.follow();
    let (first, whole) = follower.next().unwrap();
    assert_eq!((first.as_str(), whole["set"].as_array().unwrap().len()), ("state", 1));
    let port = env.port(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(300));
            env.ok(&shop, "allocate web");
        });
        let (id, _) = follower.until(|_, message| Some(row(message, port)?["id"].clone()));
        let allocated = std::time::Instant::now();
        env.ok(&shop, "release web");
        let ((), took) = follower.until(|_, message| message["gone"].as_array()?.contains(&id).then_some(()));
        assert!(took < Duration::from_secs(1), "{took:?} {:?}", allocated.elapsed());
    });
}

#[test]
fn a_server_that_starts_is_seen() {
    let env = TestEnv::new();
    let shop = env.repo("shop");
    env.ok(&shop, "allocate web");
    let page = Page::start(&env, &env.root());
    let mut follower = page.follow();
    follower.next().unwrap();
    let server = crate::support::server::Server::start(&shop, &format!("127.0.0.1:{}", env.port(0)));
    let (process, _) = follower.until(|_, message| {
        let row = row(message, env.port(0))?;
        (row["state"] == "active").then(|| row["process"]["pid"].clone())
    });
    assert_eq!(process, server.pid());
    server.stop();
    follower.until(|_, message| (row(message, env.port(0))?["state"] == "allocated").then_some(()));
}

#[test]
fn its_port_is_its_own_and_a_second_start_finds_the_first() {
    let env = TestEnv::new();
    let folder = env.root().join("soon-gone");
    fs::create_dir(&folder).unwrap();
    let mut page = Page::start(&env, &folder);
    fs::remove_dir(&folder).unwrap();
    let own = env.one(&env.root(), "list --all");
    let what = ["project", "service", "state", "port"].map(|field| own[field].clone());
    assert_eq!(json!(what), json!(["git-port", "dashboard", "active", env.port(99)]));
    assert_eq!(page.port, env.port(99));

    let again = env.json(&env.root(), "dashboard --no-open");
    assert_eq!((&again["pid"], &again["running"]), (&json!(page.running.pid()), &json!(true)));
    let code = again["invitation"].as_str().unwrap().split_once('#').unwrap().1;
    assert_ne!(code, page.code());
    assert_eq!(page.enter(code).status, 200);
    assert_eq!(page.get("/api/ranges").status, 200);

    // It ends with streams open, and leaves nothing behind that is worth anything.
    let mut follower = page.follow();
    follower.next().unwrap();
    page.running.signal(Signal::TERM);
    while follower.next().is_some() {}
    assert_eq!(page.running.status(), 0);
    assert!(!page.folder.exists());
    let page = Page::start(&env, &env.root());
    assert_eq!(page.port, env.port(99));
}

#[test]
fn a_port_that_somebody_else_has_is_not_taken_for_the_dashboard() {
    let env = TestEnv::new();
    let page = Page::start(&env, &env.root());
    let record = fs::read(page.folder.join("server.json")).unwrap();
    let (folder, port) = (page.folder.clone(), page.port);
    drop(page);
    // Killed, so that what it left says that it runs.
    assert_eq!(fs::read(folder.join("server.json")).unwrap(), record);
    let other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let refused =
        Run::of(env.command(GIT_PORT, &env.root()).args(["dashboard", "--no-open"]).output().unwrap());
    assert!(refused.stdout.is_empty() && refused.stderr.contains("in use by another process"), "{refused:?}");
    assert_eq!(refused.status, 4);
    drop(other);
    Page::start(&env, &env.root());
}

#[test]
fn only_the_user_reads_the_token() {
    let env = TestEnv::new();
    let page = Page::start(&env, &env.root());
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&page.folder), 0o700);
    for file in fs::read_dir(&page.folder).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    let arguments = fs::read_to_string(format!("/proc/{}/cmdline", page.running.pid())).unwrap();
    assert!(!arguments.contains(&page.token) && !page.running.log().contains(&page.token));
}

/// What another user of this machine tries: to read what lies open, to look into the process, and to ask.
const STRANGER: &str = r#"
folder=$1 registry=$2 pid=$3 port=$4
id -u
ls -d "$folder"
ls "$folder" 2>/dev/null
for file in "$folder/token" "$folder/server.json" "$registry" "/proc/$pid/environ" "/proc/$pid/mem"; do
    head -c 1 "$file" >/dev/null 2>&1 && echo "read $file"
done
for path in / /main.js /api/allocations /api/overview /api/live /api/history; do
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$path" "$port" >&3
    answer=$(cat <&3)
    echo "${answer:9:3} $(grep -ciE 'set-cookie|shop' <<<"$answer")"
done
"#;

#[test]
fn another_user_gets_nothing() {
    let env = TestEnv::new();
    env.ok(&env.repo("shop"), "allocate web");
    let page = Page::start(&env, &env.root());
    // Nothing above the files keeps him out, so they must do so themselves.
    for above in page.folder.ancestors().skip(1).take_while(|above| above.starts_with(env.root())) {
        fs::set_permissions(above, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = env.command("setpriv", std::path::Path::new("/"));
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "bash", "-c", STRANGER, "bash"]);
    command
        .arg(&page.folder)
        .arg(env.registry())
        .args([page.running.pid().to_string(), page.port.to_string()]);
    let run = Run::of(command.output().unwrap());
    if run.stderr.contains("setresuid failed") || run.stderr.contains("setpriv: ") {
        println!("ignored: only root can become another user");
        return;
    }
    let told = run.success().stdout;
    let wanted = format!("65534\n{}\n{}", page.folder.display(), "401 0\n".repeat(6));
    assert_eq!(told, wanted);
}
