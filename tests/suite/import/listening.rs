//! `--from listening`: what runs already is adopted.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::{TestEnv, shape};

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(env: &TestEnv, dir: &std::path::Path, port: u16) -> Server {
    let code = format!(
        "import socket,time\ns=socket.socket()\ns.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\n\
         s.bind(('127.0.0.1',{port}))\ns.listen()\ntime.sleep(60)"
    );
    let child = env.command("python3", dir).args(["-c", &code]).stdout(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "the server does not come up");
        std::thread::sleep(Duration::from_millis(20));
    }
    Server(child)
}

#[test]
fn what_listens_in_a_worktree_is_adopted() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create topic --no-ports");
    let topic = env.root().join("shop-topic");
    let _servers = [
        serve(&env, &repo, env.port(3)),
        serve(&env, &topic, env.port(4)),
        serve(&env, &topic, env.port(5)),
        serve(&env, &env.root(), env.port(6)),
    ];
    let run = env.git_port(&repo, ["import", "--from", "listening", "--dry-run"]).success();
    assert!(run.stdout.ends_with("+ 3 new\n"), "{run:?}");
    assert_eq!(env.listed(&repo, "--all").len(), 0);

    let object = env.json(&repo, "import --from listening");
    shape::lists(&object, &["added"]);
    assert_eq!(env.one(&repo, "get --no-allocate")["port"], env.port(3));
    assert_eq!(env.one(&topic, "get --no-allocate")["port"], env.port(4));
    let listed = env.listed(&repo, "--all");
    assert_eq!(listed, [3, 4, 5].map(|index| u64::from(env.port(index))), "nobody else's");
    let states = env.json(&repo, "list");
    assert!(states["allocations"].as_array().unwrap().iter().all(|one| one["state"] == "active"), "{states}");

    let again = env.git_port(&repo, ["import", "--from", "listening"]).success();
    assert!(again.stdout.ends_with("= 3 same\n"), "{again:?}");
}
