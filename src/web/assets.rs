//! The page's files, as they lie in the program.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::read;

/// A file: its name, its kind, its contents, and whether one who is not known may read it, as what it
/// takes to come in.
type Asset = (&'static str, &'static str, &'static str, bool);

const SCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: &[Asset] = &[
    ("style.css", "text/css; charset=utf-8", include_str!("page/style.css"), true),
    ("icon.svg", "image/svg+xml", include_str!("page/icon.svg"), true),
    ("enter.js", SCRIPT, include_str!("page/enter.js"), true),
    ("main.js", SCRIPT, include_str!("page/main.js"), false),
    ("live.js", SCRIPT, include_str!("page/live.js"), false),
    ("dom.js", SCRIPT, include_str!("page/dom.js"), false),
    ("words.js", SCRIPT, include_str!("page/words.js"), false),
    ("map.js", SCRIPT, include_str!("page/map.js"), false),
    ("tree.js", SCRIPT, include_str!("page/tree.js"), false),
    ("panels.js", SCRIPT, include_str!("page/panels.js"), false),
    ("detail.js", SCRIPT, include_str!("page/detail.js"), false),
    ("actions.js", SCRIPT, include_str!("page/actions.js"), false),
];

/// The page itself, and the door to it.
pub(super) const PAGE: &str = include_str!("page/index.html");
pub(super) const DOOR: &str = include_str!("page/door.html");

/// Says whether a stranger may read this.
pub(super) fn is_public(path: &str) -> bool {
    ASSETS.iter().any(|(name, _, _, public)| *public && path.strip_prefix('/') == Some(name))
}

/// Answers with a file.
pub(super) async fn file(Path(file): Path<String>) -> Response {
    match ASSETS.iter().find(|(name, ..)| *name == file) {
        Some((_, kind, contents, _)) => ([(header::CONTENT_TYPE, *kind)], *contents).into_response(),
        None => read::nothing().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small() {
        let files: usize = ASSETS.iter().map(|(_, _, contents, _)| contents.len()).sum();
        let size = files + PAGE.len() + DOOR.len();
        assert!(size < 150_000, "{size} bytes");
    }
}
