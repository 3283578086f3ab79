//! The routes that change something: each is one operation, and the object that its command prints.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::App;
use super::call::{parse, refusal};
use super::read::or_refuse;
use crate::api::views::health::HealthView;
use crate::api::views::{AllocationView, AllocationsView, CleanupView, ReleasedView};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ops::allocate::{self as allocating, AllocateRequest, ServiceRequest};
use crate::ops::cleanup::{self as cleaning, CleanupRequest};
use crate::ops::health::{self as doing, HealthRequest};
use crate::ops::list::ListRequest;
use crate::ops::release::{self as releasing, ReleaseRequest, Target};
use crate::ops::update::{self as updating, UpdateRequest};

/// How long a service may take to answer, and how many earlier looks are returned.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOKS: u32 = 50;

impl App {
    /// Calls an operation, and has everybody told at once.
    async fn change<T, F>(&self, work: F) -> Response
    where
        T: Serialize + Send + 'static,
        F: FnMut(&mut Context) -> Result<T> + Send + 'static,
    {
        let answer = self.caller.answer(work).await;
        self.hub.look();
        answer
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allocate {
    #[serde(default)]
    services: Vec<String>,
    worktree: Option<PathBuf>,
    project: Option<String>,
    environment: Option<String>,
    port: Option<u16>,
    prefer: Option<u16>,
    protocol: Option<String>,
    description: Option<String>,
    service_type: Option<String>,
    public_hostname: Option<String>,
    session: Option<String>,
}

fn numbered<T: std::str::FromStr>(port: Option<u16>) -> Result<Option<T>>
where
    Error: From<T::Err>,
{
    Ok(port.map(|port| port.to_string().parse()).transpose()?)
}

fn named<T: std::str::FromStr>(name: Option<String>) -> Result<Option<T>>
where
    Error: From<T::Err>,
{
    Ok(name.map(|name| name.parse()).transpose()?)
}

fn allocate_request(asked: Allocate) -> Result<(Option<PathBuf>, AllocateRequest)> {
    let (exactly, prefer) = (numbered(asked.port)?, numbered(asked.prefer)?);
    let services =
        asked.services.iter().map(|name| Ok(ServiceRequest { service: name.parse()?, exactly, prefer }));
    let services: Vec<ServiceRequest> = services.collect::<Result<_>>()?;
    if services.len() != 1 && (exactly.is_some() || prefer.is_some()) {
        return Err(Error::usage("a port can be named for one service only"));
    }
    if asked.worktree.is_some() == asked.project.is_some() {
        return Err(Error::usage("name either a worktree or a project"));
    }
    let request = AllocateRequest {
        services,
        environment: named(asked.environment)?,
        project: named(asked.project)?,
        protocol: named(asked.protocol)?,
        description: asked.description,
        service_type: asked.service_type,
        public_hostname: asked.public_hostname,
        session: asked.session,
        ..AllocateRequest::default()
    };
    Ok((asked.worktree, request))
}

pub(super) async fn allocate(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let (worktree, request) = or_refuse!(parse(&body).and_then(allocate_request));
    app.change(move |ctx| {
        let allocated = match &worktree {
            Some(top) => allocating::allocate_at(ctx, top, request.clone())?,
            None => allocating::allocate(ctx, request.clone())?,
        };
        let view = |placed| AllocationView::placed(placed, &ctx.host.name);
        let allocations = allocated.placed.iter().map(view).collect();
        Ok(AllocationsView { allocations, warnings: allocated.warnings })
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    ports: Vec<u16>,
    protocol: Option<String>,
}

fn release_request(asked: Release) -> Result<ReleaseRequest> {
    let target = |port: &u16| Ok(Target::Port(port.to_string().parse()?));
    let targets = asked.ports.iter().map(target).collect::<Result<Vec<_>>>()?;
    if targets.is_empty() {
        return Err(Error::usage("no port is named"));
    }
    Ok(ReleaseRequest { targets, protocol: named(asked.protocol)?, ..ReleaseRequest::default() })
}

pub(super) async fn release(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let request = or_refuse!(parse(&body).and_then(release_request));
    app.change(move |ctx| {
        let done = releasing::release(ctx, &request)?;
        let view = |one| AllocationView::recorded(one, &ctx.host.name);
        Ok(ReleasedView { released: done.released.iter().map(view).collect(), warnings: done.warnings })
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Undo {
    port: u16,
    protocol: Option<String>,
    released_at: Timestamp,
}

pub(super) async fn undo(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let asked: Undo = or_refuse!(parse(&body));
    let port = or_refuse!(asked.port.to_string().parse().map_err(Error::from));
    let protocol = or_refuse!(named(asked.protocol)).unwrap_or_default();
    app.change(move |ctx| {
        let restored = releasing::undo(ctx, port, protocol, asked.released_at)?;
        let allocations = vec![AllocationView::recorded(&restored.allocation, &ctx.host.name)];
        Ok(AllocationsView { allocations, warnings: restored.warnings })
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    port: u16,
    protocol: Option<String>,
    description: Option<String>,
    service_type: Option<String>,
    public_hostname: Option<String>,
    service: Option<String>,
    pinned: Option<bool>,
}

pub(super) async fn update(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let asked: Update = or_refuse!(parse(&body));
    let port = or_refuse!(asked.port.to_string().parse().map_err(Error::from));
    let protocol = or_refuse!(named(asked.protocol)).unwrap_or_default();
    let request = UpdateRequest {
        description: asked.description,
        service_type: asked.service_type,
        public_hostname: asked.public_hostname,
        service: or_refuse!(named(asked.service)),
        pinned: asked.pinned,
    };
    app.change(move |ctx| {
        let updated = updating::update(ctx, port, protocol, &request)?;
        let allocations = vec![AllocationView::recorded(&updated.allocation, &ctx.host.name)];
        Ok(AllocationsView { allocations, warnings: updated.warnings })
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cleanup {
    older_than: Option<String>,
}

pub(super) async fn cleanup(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let asked: Cleanup = or_refuse!(parse(&body));
    let older_than = or_refuse!(asked.older_than.as_deref().map(cleaning::older_than).transpose());
    let request = CleanupRequest { dry_run: false, older_than };
    app.change(move |ctx| {
        let cleaned = cleaning::cleanup(ctx, &request)?;
        Ok(CleanupView::new(&cleaned, &ctx.host.name))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Health {
    port: Option<u16>,
}

/// Asks the services, which is noted.
pub(super) async fn health(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let asked: Health = or_refuse!(parse(&body));
    let list = ListRequest { all: true, port: or_refuse!(numbered(asked.port)), ..ListRequest::default() };
    let request = HealthRequest { list, patience: PATIENCE, history: LOOKS };
    app.change(move |ctx| Ok(HealthView::new(&doing::health(ctx, &request)?))).await
}
