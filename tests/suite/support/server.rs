//! A server of its own process, so that it has a folder of its own: this very test binary, run again.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// The variable that carries the address to listen on.
const ADDRESS: &str = "GIT_PORT_TEST_SERVE";

/// A process that listens until it is stopped or dropped.
pub struct Server {
    child: Child,
    input: Option<ChildStdin>,
}

impl Server {
    /// Starts a server in this folder on this address, and waits until it listens.
    pub fn start(folder: &Path, address: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "support::server::serve", "--ignored", "--nocapture"])
            .current_dir(folder)
            .env(ADDRESS, address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.map_while(Result::ok).any(|line| line.ends_with("listening")),
            "no server on {address}"
        );
        Self { child, input }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the server.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Killed first, or it would go on to report that it passed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.input.take());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Listens until its standard input ends, which it does when whoever started it ends.
#[test]
#[ignore = "the server that other tests start"]
fn serve() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let _listener = TcpListener::bind(&address).unwrap();
    println!("listening");
    let _ = std::io::stdin().read(&mut [0]);
}
