//! The user's file of passwords (libpq, "The Password File").

use std::path::Path;

use super::address::Server;
use crate::system::files;

/// A line: host, port, database, user, password.
pub(super) struct Line([String; 5]);

/// Returns the lines of the file; none if there is no file, or others can read it, as libpq has it.
pub(super) fn load(path: &Path) -> Vec<Line> {
    if !is_private(path) {
        return Vec::new();
    }
    let text = files::load_text(path).ok().flatten().unwrap_or_default();
    text.lines().filter(|line| !line.starts_with('#')).filter_map(parse).collect()
}

/// Returns the password of the first line that fits.
pub(super) fn find(lines: &[Line], server: &Server, database: &str, user: &str) -> Option<String> {
    let port = server.port.to_string();
    let host = if server.is_socket() { "localhost" } else { &server.host };
    let fits = |Line(parts): &&Line| {
        let wanted = [host, &port, database, user];
        let same_folder = server.is_socket() && parts[0] == server.host;
        wanted.iter().enumerate().all(|(index, wanted)| {
            parts[index] == "*" || parts[index] == *wanted || (index == 0 && same_folder)
        })
    };
    lines.iter().find(fits).map(|Line(parts)| parts[4].clone())
}

fn parse(line: &str) -> Option<Line> {
    let mut parts: [String; 5] = Default::default();
    let mut index = 0;
    let mut characters = line.trim_end_matches(['\r', '\n']).chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => parts[index].push(characters.next()?),
            // The password is the rest.
            ':' if index < 4 => index += 1,
            other => parts[index].push(other),
        }
    }
    (index == 4).then_some(Line(parts))
}

#[cfg(unix)]
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.mode().trailing_zeros() >= 6)
}

#[cfg(not(unix))]
fn is_private(path: &Path) -> bool {
    path.is_file()
}
