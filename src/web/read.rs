//! The routes that change nothing. Each is one operation, and the object that its command prints.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::App;
use super::call::{refusal, refused};
use crate::api::views::health::HealthView;
use crate::api::views::{
    AllocationView, AllocationsView, AuditView, CheckedView, CleanupView, EventView, HistoryView, RangesView,
    StatsView,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ops::cleanup::CleanupRequest;
use crate::ops::list::ListRequest;
use crate::ops::{audit as auditing, check as checking, cleanup as cleaning, history as past};
use crate::ops::{health as doing, list, range, stats as counting};

/// How many events and looks are returned unless a number is given.
const LIMIT: u32 = 50;

/// What may stand behind the `?` of any of these.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    port: Option<String>,
    protocol: Option<String>,
    project: Option<String>,
    worktree: Option<String>,
    environment: Option<String>,
    state: Option<String>,
    session: Option<String>,
    released: Option<bool>,
    limit: Option<u32>,
    older_than: Option<String>,
}

type Asked = std::result::Result<Query<Words>, QueryRejection>;

/// Returns the words, of which only these mean anything here.
fn words(asked: Asked, known: &[&str]) -> Result<Words> {
    let Query(words) = asked.map_err(|error| Error::usage(error.body_text()))?;
    let Words { port, protocol, project, worktree, environment, state, session, released, limit, older_than } =
        &words;
    let given = [
        ("port", port.is_some()),
        ("protocol", protocol.is_some()),
        ("project", project.is_some()),
        ("worktree", worktree.is_some()),
        ("environment", environment.is_some()),
        ("state", state.is_some()),
        ("session", session.is_some()),
        ("released", released.is_some()),
        ("limit", limit.is_some()),
        ("older_than", older_than.is_some()),
    ];
    match given.iter().find(|(name, given)| *given && !known.contains(name)) {
        Some((name, _)) => Err(Error::usage(format!("'{name}' means nothing here"))),
        None => Ok(words),
    }
}

fn parsed<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>>
where
    Error: From<T::Err>,
{
    Ok(text.map(str::parse).transpose()?)
}

fn port<T: std::str::FromStr>(words: &Words) -> Result<T>
where
    Error: From<T::Err>,
{
    parsed(words.port.as_deref())?.ok_or_else(|| Error::usage("no port is named").hint("add ?port=<port>"))
}

fn list_request(asked: Asked) -> Result<ListRequest> {
    let known = ["port", "project", "worktree", "environment", "state", "session", "released"];
    let words = words(asked, &known)?;
    Ok(ListRequest {
        port: parsed(words.port.as_deref())?,
        project: parsed(words.project.as_deref())?.map(Some),
        worktree: words.worktree.map(Into::into),
        environment: parsed(words.environment.as_deref())?,
        state: parsed(words.state.as_deref())?,
        session: words.session,
        all: true,
        released: words.released.unwrap_or_default(),
        ..ListRequest::default()
    })
}

/// Reads the words, or answers what is wrong with them.
macro_rules! or_refuse {
    ($asked:expr) => {
        match $asked {
            Ok(asked) => asked,
            Err(error) => return refusal(&error),
        }
    };
}
pub(super) use or_refuse;

pub(super) async fn overview(State(app): State<Arc<App>>, asked: Asked) -> Response {
    or_refuse!(words(asked, &[]));
    app.caller.answer(super::look).await
}

pub(super) async fn allocations(State(app): State<Arc<App>>, asked: Asked) -> Response {
    let request = or_refuse!(list_request(asked));
    app.caller
        .answer(move |ctx| {
            let listed = list::list(ctx, &request)?;
            let allocations = listed.iter().map(AllocationView::from).collect();
            Ok(AllocationsView { allocations, warnings: ctx.take_notes() })
        })
        .await
}

pub(super) async fn stats(State(app): State<Arc<App>>, asked: Asked) -> Response {
    let words = or_refuse!(words(asked, &["environment"]));
    let environment = or_refuse!(parsed(words.environment.as_deref()));
    app.caller
        .answer(move |ctx| Ok(StatsView::from(counting::stats(ctx, environment.as_ref())?.as_slice())))
        .await
}

pub(super) async fn ranges(State(app): State<Arc<App>>, asked: Asked) -> Response {
    or_refuse!(words(asked, &[]));
    app.caller.answer(|ctx| Ok(RangesView::from(&range::list(ctx)?))).await
}

pub(super) async fn audit(State(app): State<Arc<App>>, asked: Asked) -> Response {
    or_refuse!(words(asked, &[]));
    app.caller.answer(|ctx| Ok(AuditView::from(&auditing::audit(ctx)?))).await
}

pub(super) async fn history(State(app): State<Arc<App>>, asked: Asked) -> Response {
    let words = or_refuse!(words(asked, &["port", "limit"]));
    let port = or_refuse!(parsed(words.port.as_deref()));
    let limit = words.limit.unwrap_or(LIMIT);
    app.caller
        .answer(move |ctx| {
            let events = past::history(ctx, port, limit)?;
            Ok(HistoryView { events: events.iter().map(EventView::from).collect() })
        })
        .await
}

pub(super) async fn check(State(app): State<Arc<App>>, asked: Asked) -> Response {
    let words = or_refuse!(words(asked, &["port", "protocol"]));
    let port = or_refuse!(port(&words));
    let protocol = or_refuse!(parsed(words.protocol.as_deref())).unwrap_or_default();
    app.caller
        .answer(move |ctx| Ok(CheckedView::from(checking::check(ctx, &[port], protocol)?.as_slice())))
        .await
}

pub(super) async fn health(State(app): State<Arc<App>>, asked: Asked) -> Response {
    let words = or_refuse!(words(asked, &["port", "limit"]));
    let port = or_refuse!(port(&words));
    let limit = words.limit.unwrap_or(LIMIT);
    app.caller.answer(move |ctx| Ok(HealthView::new(&doing::recorded(ctx, port, limit)?))).await
}

pub(super) async fn cleanup(State(app): State<Arc<App>>, asked: Asked) -> Response {
    let words = or_refuse!(words(asked, &["older_than"]));
    let older_than = or_refuse!(words.older_than.as_deref().map(cleaning::older_than).transpose());
    let request = CleanupRequest { dry_run: true, older_than };
    app.caller
        .answer(move |ctx| {
            let cleaned = cleaning::cleanup(ctx, &request)?;
            Ok(CleanupView::new(&cleaned, &ctx.host.name))
        })
        .await
}

pub(super) async fn nothing() -> Response {
    refusal(&Error::new(ErrorKind::NotFound, "there is nothing of that name"))
}

pub(super) async fn not_so() -> Response {
    refused(StatusCode::METHOD_NOT_ALLOWED, &Error::usage("that is not how it is asked"))
}
