//! Resources: the ports of each worktree, for clients that attach context without calling a tool.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use rmcp::model::{
    CacheScope, ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate,
};

use super::tools::absolute;
use crate::api::json;
use crate::api::views::{AllocationView, AllocationsView, Versioned};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::ops::list::{self, ListRequest, Listed};
use crate::ops::recovery;

/// What comes before the path of a worktree.
const SCHEME: &str = "git-port://worktree";

/// How many resources a page has.
const PAGE: usize = 100;

/// How long an answer may be taken for granted, in milliseconds: ports seldom change, states do.
const HOLDS: u64 = 2_000;

const JSON: &str = "application/json";

/// Returns a page of the worktrees that have ports.
pub(super) fn list(seed: &Context, cursor: Option<&str>) -> Result<ListResourcesResult> {
    let mut ctx = seed.standing_in(Some(PathBuf::from("/")));
    let all = ListRequest { all: true, ..ListRequest::default() };
    let listed = recovery::attended(&mut ctx, &mut |_| (), &mut |ctx| list::list(ctx, &all))?;
    let mut worktrees: BTreeMap<PathBuf, Listed> = BTreeMap::new();
    for one in listed.into_iter().filter(|one| one.allocation.host == ctx.host.key) {
        if let Some(path) = one.allocation.path.clone() {
            worktrees.entry(path).or_insert(one);
        }
    }
    let after = cursor.map(path_of).transpose()?;
    let mut rest =
        worktrees.into_iter().skip_while(|(path, _)| after.as_ref().is_some_and(|seen| path <= seen));
    let mut resources = Vec::new();
    for (path, one) in rest.by_ref().take(PAGE) {
        let branch = one.allocation.branch.as_deref().unwrap_or("no branch");
        let name = format!("ports of {} ({branch})", one.allocation.project);
        resources.push(Resource::new(uri(&path), name).with_mime_type(JSON));
    }
    let next = resources.last().map(|last| last.uri.clone()).filter(|_| rest.next().is_some());
    let mut result = ListResourcesResult::with_all_items(resources);
    result.next_cursor = next;
    Ok(result.with_ttl_ms(HOLDS).with_cache_scope(CacheScope::Private))
}

/// Returns how the resources are named.
pub(super) fn templates() -> ListResourceTemplatesResult {
    let template = ResourceTemplate::new(format!("{SCHEME}{{+path}}"), "ports of a worktree")
        .with_description("The ports of the worktree at this absolute path, percent-encoded")
        .with_mime_type(JSON);
    ListResourceTemplatesResult::with_all_items(vec![template])
}

/// Returns the ports of one worktree.
pub(super) fn read(seed: &Context, uri: &str) -> Result<ReadResourceResult> {
    let path = path_of(uri)?;
    if !path.is_dir() {
        let message = format!("there is no worktree '{}'", path.display());
        return Err(Error::new(ErrorKind::NotFound, message));
    }
    let mut ctx = seed.standing_in(Some(path));
    let request = ListRequest { worktree: Some(PathBuf::new()), ..ListRequest::default() };
    let listed = recovery::attended(&mut ctx, &mut |_| (), &mut |ctx| list::list(ctx, &request))?;
    let allocations = listed.iter().map(AllocationView::from).collect();
    let view = Versioned::new(AllocationsView { allocations, warnings: ctx.take_notes() });
    let contents = ResourceContents::text(json::render(&view), uri).with_mime_type(JSON);
    Ok(ReadResourceResult::new(vec![contents]).with_ttl_ms(HOLDS).with_cache_scope(CacheScope::Private))
}

/// Returns the name of the resource of the worktree at this path.
fn uri(path: &Path) -> String {
    let mut uri = SCHEME.to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

/// Returns the path that a resource is named after.
fn path_of(uri: &str) -> Result<PathBuf> {
    let unknown = || {
        Error::new(ErrorKind::NotFound, format!("there is no resource '{}'", uri.escape_debug()))
            .hint(format!("one is '{SCHEME}' and the absolute path of a worktree"))
    };
    let encoded = uri.strip_prefix(SCHEME).ok_or_else(unknown)?;
    let mut bytes = Vec::new();
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits =
                [rest.next(), rest.next()].map(|digit| digit.and_then(|one| char::from(one).to_digit(16)));
            let [Some(high), Some(low)] = digits else { return Err(unknown()) };
            bytes.push(u8::try_from(high * 16 + low).map_err(|_| unknown())?);
        } else {
            bytes.push(byte);
        }
    }
    absolute(&String::from_utf8(bytes).map_err(|_| unknown())?)
}
