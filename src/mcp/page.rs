//! Long lists in pieces. A cursor names the last allocation that was seen, so that one which comes or goes
//! meanwhile makes nobody miss another.

use std::cmp::Ordering;

use crate::error::{Error, Result};
use crate::ops::list::Listed;

/// How many allocations an answer has at most.
const MOST: usize = 200;

/// How many it has if nothing is said.
const USUAL: usize = 50;

/// A piece of a list.
pub(super) struct Page {
    /// What is in it.
    pub(super) items: Vec<Listed>,
    /// How many there are on all pages.
    pub(super) total: usize,
    /// Where the next one begins; none behind the last.
    pub(super) next: Option<String>,
}

/// By what allocations are ordered: port, protocol, and the row, where several machines share a registry.
type Key = (u16, String, i64);

fn key(listed: &Listed) -> Key {
    let one = &listed.allocation;
    (one.port.number(), one.protocol.name().to_owned(), one.id)
}

/// Returns the page behind this cursor.
pub(super) fn page(mut listed: Vec<Listed>, limit: Option<usize>, cursor: Option<&str>) -> Result<Page> {
    listed.sort_by_key(key);
    let total = listed.len();
    if let Some(cursor) = cursor {
        let seen = parse(cursor)?;
        listed.retain(|one| key(one).cmp(&seen) == Ordering::Greater);
    }
    let limit = limit.unwrap_or(USUAL).clamp(1, MOST);
    let more = listed.len() > limit;
    listed.truncate(limit);
    let next = listed.last().filter(|_| more).map(|last| {
        let (port, protocol, row) = key(last);
        format!("{port}-{protocol}-{row}")
    });
    Ok(Page { items: listed, total, next })
}

fn parse(cursor: &str) -> Result<Key> {
    let mut parts = cursor.splitn(3, '-');
    let mut part = || parts.next().unwrap_or_default();
    let (port, protocol, row) = (part().parse(), part().to_owned(), part().parse());
    match (port, row) {
        (Ok(port), Ok(row)) => Ok((port, protocol, row)),
        _ => {
            Err(Error::usage("the cursor is none that a list returned")
                .hint("leave it out for the first page"))
        }
    }
}
