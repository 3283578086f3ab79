//! `git port mcp`: the server as a client sees it, line by line.

mod answers;
mod clients;
mod hostile;
mod protocol;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{TestEnv, program};

/// Nothing takes longer than this on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that was started, and whatever it has said.
pub struct Session {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    waiting: Vec<Value>,
    next: u64,
}

impl Session {
    /// Starts a server; nothing has been said yet.
    pub fn start(env: &TestEnv, dir: &Path) -> Self {
        let mut child = env
            .command(program(), dir)
            .arg("mcp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines, waiting: Vec::new(), next: 0 }
    }

    /// Starts a server and says hello in this revision of the protocol.
    pub fn open(env: &TestEnv, dir: &Path, revision: &str) -> Self {
        let mut session = Self::start(env, dir);
        let hello = json!({
            "protocolVersion": revision, "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        let answer = session.ask("initialize", &hello);
        assert_eq!(answer["result"]["protocolVersion"], revision, "{answer}");
        session.say(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        session
    }

    /// Sends a line as it is.
    pub fn say(&mut self, line: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line).and_then(|()| input.write_all(b"\n")).and_then(|()| input.flush()).unwrap();
    }

    /// Sends a request and returns its number.
    pub fn send(&mut self, method: &str, params: &Value) -> u64 {
        self.next += 1;
        let request = json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params });
        self.say(request.to_string().as_bytes());
        self.next
    }

    /// Waits for the answer to the request of this number; others may come before.
    #[track_caller]
    pub fn answer(&mut self, id: u64) -> Value {
        loop {
            if let Some(at) = self.waiting.iter().position(|answer| answer["id"] == id) {
                return self.waiting.swap_remove(at);
            }
            let line = match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => panic!("no answer to {id}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the server has ended"),
            };
            // Nothing else may ever stand on standard output.
            let object: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_eq!(object["jsonrpc"], "2.0", "{object}");
            self.waiting.push(object);
        }
    }

    #[track_caller]
    pub fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// Calls a tool and returns its result.
    #[track_caller]
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let answer = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        assert!(answer["result"].is_object(), "{answer}");
        answer["result"].clone()
    }

    /// Calls a tool, which must succeed, and returns its structured content: the same as its text.
    #[track_caller]
    pub fn ok(&mut self, tool: &str, arguments: &Value) -> Value {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], false, "{tool} {arguments}: {result}");
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"]);
        text
    }

    /// Calls a tool, which must fail, and returns the error.
    #[track_caller]
    pub fn error(&mut self, tool: &str, arguments: &Value) -> Value {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
        assert!(result["structuredContent"].is_null(), "clients hold it against the schema: {result}");
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text["version"], 1);
        let error = text["error"].clone();
        assert!(error["code"].is_string() && error["message"].is_string(), "{error}");
        assert!(error["retryable"].is_boolean() && error["hints"].is_array(), "{error}");
        error
    }

    /// Hangs up, and returns the exit status.
    pub fn end(mut self) -> Option<i32> {
        drop(self.input.take());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
