//! A browser without a window: Debian's Chromium, through its driver (<https://www.w3.org/TR/webdriver2/>).

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything on a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser of its own, with nothing in it.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    home: TempDir,
    /// What the driver says, which it must be able to.
    _words: BufReader<ChildStdout>,
}

impl Browser {
    /// Starts a browser; none if there is no Chromium here.
    pub fn start() -> Option<Self> {
        let home = tempfile::Builder::new().prefix("git-port-browser-").tempdir().unwrap();
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        let Ok(mut driver) = driver else {
            assert!(
                std::env::var_os("GIT_PORT_TESTS_COMPLETE").is_none_or(|set| set != "1"),
                "no chromedriver"
            );
            println!("ignored: no chromedriver");
            return None;
        };
        let mut words = BufReader::new(driver.stdout.take().unwrap());
        let mut lines = words.by_ref().lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok());
        let mut browser = Self {
            driver,
            port: port.expect("a driver that says its port"),
            session: String::new(),
            home,
            _words: words,
        };
        let profile = browser.home.path().join("profile");
        let switches = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let options = json!({ "args": switches, "excludeSwitches": ["enable-logging"] });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": options } } });
        let session = browser.call("POST", "/session", &wanted);
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// Asks the driver, and returns the value of its answer.
    fn try_call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        let body = if method == "POST" { body.to_string() } else { String::new() };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .unwrap();
        // The driver keeps the connection, so the length says where the answer ends.
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.expect("a length")];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let value = serde_json::from_str::<Value>(&body).unwrap()["value"].take();
        if head.starts_with("HTTP/1.1 200") { Ok(value) } else { Err(value) }
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_call(method, &format!("{}{path}", self.session), body)
            .unwrap_or_else(|error| panic!("{path}: {error:#}"))
    }

    pub fn go(&self, url: &str) {
        self.call("POST", "/url", &json!({ "url": url }));
    }

    /// Runs the body of a function on the page, and returns what it returns.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.call("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Runs the body of a function that calls its last argument when it is done.
    #[track_caller]
    pub fn run_later(&self, script: &str) -> Value {
        self.call("POST", "/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true on the page, and returns how long that took.
    #[track_caller]
    pub fn wait(&self, expression: &str) -> Duration {
        let since = Instant::now();
        while self.run(&format!("return Boolean({expression})")) != true {
            let text = || self.run("return document.body.innerText");
            assert!(since.elapsed() < PATIENCE, "waited in vain for {expression} on: {}", text());
            std::thread::sleep(Duration::from_millis(20));
        }
        since.elapsed()
    }

    fn element(&self, css: &str) -> String {
        let found = self.call("POST", "/element", &json!({ "using": "css selector", "value": css }));
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    pub fn click(&self, css: &str) {
        self.call("POST", &format!("/element/{}/click", self.element(css)), &json!({}));
    }

    pub fn write(&self, css: &str, text: &str) {
        self.call("POST", &format!("/element/{}/value", self.element(css)), &json!({ "text": text }));
    }

    /// Presses keys one after the other, wherever the focus is.
    pub fn press(&self, keys: &[&str]) {
        let code = |key: &str| match key {
            "Down" => "\u{e015}".to_owned(),
            "Up" => "\u{e013}".to_owned(),
            "Left" => "\u{e012}".to_owned(),
            "Right" => "\u{e014}".to_owned(),
            "Enter" => "\u{e007}".to_owned(),
            "Escape" => "\u{e00c}".to_owned(),
            "Tab" => "\u{e004}".to_owned(),
            other => other.to_owned(),
        };
        let actions = keys.iter().flat_map(|key| {
            let value = code(key);
            [json!({ "type": "keyDown", "value": value }), json!({ "type": "keyUp", "value": value })]
        });
        let actions: Vec<Value> = actions.collect();
        let input = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] });
        self.call("POST", "/actions", &input);
    }

    /// Speaks to the browser's own protocol.
    pub fn develop(&self, command: &str, parameters: &Value) -> Value {
        self.call("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    pub fn size(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.develop("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Has the user prefer this, as `prefers-color-scheme`.
    pub fn prefer(&self, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.develop("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    pub fn scripts(&self, on: bool) {
        self.develop("Emulation.setScriptExecutionDisabled", &json!({ "value": !on }));
    }

    /// Waits until the page's source has this.
    #[track_caller]
    pub fn shows(&self, part: &str) {
        let since = Instant::now();
        while !self.source().contains(part) {
            assert!(since.elapsed() < PATIENCE, "no {part} in {}", self.source());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The page's source as it was loaded.
    pub fn source(&self) -> String {
        self.call("GET", "/source", &Value::Null).as_str().unwrap().to_owned()
    }

    /// Takes a picture of what is seen, of the format that the file's name says.
    pub fn picture(&self, path: &Path) {
        let format = path.extension().unwrap().to_str().unwrap();
        let wanted = if format == "png" {
            json!({ "format": "png" })
        } else {
            json!({ "format": format, "quality": 82 })
        };
        let shot = self.develop("Page.captureScreenshot", &wanted);
        fs::write(path, decoded(shot["data"].as_str().unwrap())).unwrap();
    }

    /// What the page complained about: errors, and what its policy forbade.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", &json!({ "type": "browser" }));
        log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }
}

fn decoded(base64: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::with_capacity(base64.len() * 3 / 4);
    for four in base64.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = four.iter().fold(0, |bits, byte| bits << 6 | value(*byte)) << (6 * (4 - four.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    bytes
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.try_call("DELETE", &self.session, &Value::Null);
        }
        let group = Pid::from_raw(i32::try_from(self.driver.id()).unwrap()).unwrap();
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.driver.wait();
    }
}
