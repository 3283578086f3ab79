//! Asks a service of this machine whether it answers. It sends a question and reads a line; it changes
//! nothing.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::registry::{Health, Port};

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it answered.
    pub health: Health,
    /// How long that took.
    pub latency: Duration,
    /// The answer in words.
    pub detail: String,
}

/// Asks the service on a TCP port of this machine: with a connection, or, where a path is given, with an
/// HTTP request for it. Gives up after `patience`.
pub fn ask(port: Port, path: Option<&str>, patience: Duration) -> Answer {
    let since = Instant::now();
    let left = || patience.saturating_sub(since.elapsed()).max(Duration::from_millis(1));
    let (health, detail) = match connect(port, &left) {
        Ok(stream) => match path {
            None => (Health::Up, "accepts connections".to_owned()),
            Some(path) => match request(stream, port, path, &left) {
                Ok(answer) => answer,
                Err(error) => (Health::Failing, words(&error)),
            },
        },
        Err(error) => (Health::Down, words(&error)),
    };
    Answer { health, latency: since.elapsed(), detail }
}

/// `localhost` is either address, and servers choose differently: Node takes `::1`, most others
/// `127.0.0.1`.
fn connect(port: Port, left: &dyn Fn() -> Duration) -> std::io::Result<TcpStream> {
    let mut failure = None;
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        match TcpStream::connect_timeout(&SocketAddr::new(address, port.number()), left()) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.unwrap_or_else(|| std::io::ErrorKind::NotFound.into()))
}

/// A status below 400 is well (RFC 9110, section 15).
fn request(
    mut stream: TcpStream,
    port: Port,
    path: &str,
    left: &dyn Fn() -> Duration,
) -> std::io::Result<(Health, String)> {
    stream.set_write_timeout(Some(left()))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: git-port\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut line = Vec::new();
    let mut byte = [0];
    // A status line is short; who sends more is no HTTP server.
    while line.len() < 256 {
        stream.set_read_timeout(Some(left()))?;
        if stream.read(&mut byte)? == 0 || byte[0] == b'\n' {
            break;
        }
        line.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
    let status =
        line.strip_prefix("HTTP/").and_then(|rest| rest.split_once(' ')).map(|(_, status)| status.to_owned());
    let Some(status) = status else { return Ok((Health::Failing, "does not speak HTTP".to_owned())) };
    let code: u16 = status.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0);
    let health = if (100..400).contains(&code) { Health::Up } else { Health::Failing };
    Ok((health, status))
}

fn words(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "no answer in time".to_owned(),
        ErrorKind::ConnectionReset => "connection reset".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const PATIENCE: Duration = Duration::from_millis(300);

    /// Serves one connection with this answer.
    fn serve(address: &str, answer: &'static str) -> Port {
        let listener = TcpListener::bind(address).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            let mut request = [0; 512];
            let _ = stream.read(&mut request)?;
            stream.write_all(answer.as_bytes())
        });
        Port::new(port).expect("not 0")
    }

    #[test]
    fn an_answer_is_judged_by_its_status() {
        for (address, answer, health, detail) in [
            ("127.0.0.1:0", "HTTP/1.1 200 OK\r\n\r\n", Health::Up, "200 OK"),
            ("[::1]:0", "HTTP/1.1 302 Found\r\n\r\n", Health::Up, "302 Found"),
            ("127.0.0.1:0", "HTTP/1.0 503 Busy\r\n\r\n", Health::Failing, "503 Busy"),
            ("127.0.0.1:0", "220 smtp ready\r\n", Health::Failing, "does not speak HTTP"),
        ] {
            let answer = ask(serve(address, answer), Some("/health"), PATIENCE);
            assert_eq!((answer.health, answer.detail.as_str()), (health, detail));
        }
    }

    #[test]
    fn nobody_and_somebody_silent_take_no_longer_than_allowed() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = Port::new(listener.local_addr().expect("an address").port()).expect("not 0");
        assert_eq!(ask(port, None, PATIENCE).health, Health::Up);
        let silent = ask(port, Some("/"), PATIENCE);
        assert_eq!((silent.health, silent.detail.as_str()), (Health::Failing, "no answer in time"));
        assert!(silent.latency < PATIENCE * 3);
        drop(listener);
        assert_eq!(ask(port, Some("/"), PATIENCE).detail, "connection refused");
    }
}
