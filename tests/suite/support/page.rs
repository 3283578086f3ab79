//! `git port dashboard` in the background, and one who asks it over plain HTTP.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::running::Running;
use super::{TestEnv, program};

/// A dashboard that runs.
pub struct Page {
    pub running: Running,
    pub port: u16,
    pub token: String,
    /// The address that lets one browser in.
    pub invitation: String,
    pub folder: PathBuf,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn object(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

impl Page {
    /// Starts a dashboard in this folder, and waits until it listens.
    pub fn start(env: &TestEnv, dir: &Path) -> Self {
        let mut command = env.command(program(), dir);
        command.args(["dashboard", "--no-open"]);
        let mut running = Running::spawn(env, command);
        running.says("Ctrl-C");
        let log = running.log();
        let invitation = log.lines().find(|line| line.starts_with("http://")).unwrap().to_owned();
        let port = invitation.split([':', '/']).nth(4).unwrap().parse().unwrap();
        let folder = env.registry().with_file_name(format!("dashboard-{port}"));
        let token = fs::read_to_string(folder.join("token")).unwrap();
        Self { running, port, token, invitation, folder }
    }

    pub fn code(&self) -> &str {
        self.invitation.split_once('#').unwrap().1
    }

    /// Sends these bytes on a connection of their own, and returns the answer.
    pub fn raw(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// Sends what is no request, and does not wait for long.
    pub fn noise(&self, noise: &str) {
        let mut stream = self.connect();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        stream.write_all(noise.as_bytes()).unwrap();
        let _ = stream.read(&mut [0; 512]);
    }

    /// Sends half a request, and tells how long the server waits for the rest.
    pub fn dawdle(&self, half: &str) -> JoinHandle<Duration> {
        let mut stream = self.connect();
        stream.write_all(half.as_bytes()).unwrap();
        std::thread::spawn(move || {
            let since = Instant::now();
            let _ = stream.read_to_end(&mut Vec::new());
            since.elapsed()
        })
    }

    /// Asks with these headers, each with its line break.
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        self.raw(&format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ))
    }

    /// The headers of a program with the token.
    pub fn credentials(&self) -> String {
        format!("Host: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n", self.port, self.token)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &self.credentials(), "")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = self.credentials() + "Content-Type: application/json\r\n";
        self.ask("POST", path, &headers, &body.to_string())
    }

    /// Exchanges an invitation, as the page does.
    pub fn enter(&self, code: &str) -> Answer {
        let headers = format!("Host: 127.0.0.1:{}\r\nContent-Type: application/json\r\n", self.port);
        self.ask("POST", "/session", &headers, &serde_json::json!({ "code": code }).to_string())
    }

    /// Follows the stream of changes.
    pub fn follow(&self) -> Follower {
        let mut stream = self.connect();
        write!(stream, "GET /api/live HTTP/1.1\r\n{}\r\n", self.credentials()).unwrap();
        Follower { lines: BufReader::new(stream) }
    }
}

/// One who follows the changes.
pub struct Follower {
    lines: BufReader<TcpStream>,
}

impl Follower {
    /// The next message: its name and its object; none when the stream has ended.
    pub fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(event) = line.strip_prefix("event: ") {
                event.trim().clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).unwrap()));
            }
        }
    }

    /// Waits for the message that this finds something in, and returns that and how long it took.
    #[track_caller]
    pub fn until<T>(&mut self, mut find: impl FnMut(&str, &Value) -> Option<T>) -> (T, Duration) {
        let since = Instant::now();
        while since.elapsed() < Duration::from_mins(1) {
            let (name, object) = self.next().expect("the stream has ended");
            if let Some(found) = find(&name, &object) {
                return (found, since.elapsed());
            }
        }
        panic!("waited in vain");
    }
}
