//! Ports that a new worktree is to get as soon as the registry can be reached.
//!
//! What was asked for is noted in its administrative directory, which goes with the worktree. Whoever next
//! allocates in it, or looks around in its repository, sees to it first.

use serde::{Deserialize, Serialize};

use super::allocate::{AllocateRequest, ServiceRequest};
use crate::error::{Error, Result};
use crate::git::{Worktree, identity};
use crate::registry::Port;
use crate::system::files;

#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    version: u32,
    environment: Option<String>,
    session: Option<String>,
    services: Vec<Service>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Service {
    name: String,
    exactly: Option<u16>,
    prefer: Option<u16>,
}

/// Notes what was asked for.
pub(super) fn note(worktree: &Worktree, request: &AllocateRequest) -> Result<()> {
    let number = |port: Option<Port>| port.map(Port::number);
    let service = |wanted: &ServiceRequest| Service {
        name: wanted.service.to_string(),
        exactly: number(wanted.exactly),
        prefer: number(wanted.prefer),
    };
    let pending = Pending {
        version: 1,
        environment: request.environment.as_ref().map(ToString::to_string),
        session: request.session.clone(),
        services: request.services.iter().map(service).collect(),
    };
    let mut text = serde_json::to_vec(&pending).unwrap_or_default();
    text.push(b'\n');
    Ok(identity::write_pending(worktree, &text)?)
}

/// Returns what is still to be allocated; none if nothing is.
pub(super) fn find(worktree: &Worktree) -> Option<AllocateRequest> {
    let text = files::load(&identity::pending_file(worktree)).ok().flatten()?;
    let pending: Pending = serde_json::from_slice(&text).ok()?;
    let port = |number: Option<u16>| number.and_then(Port::new);
    let service = |wanted: Service| {
        let (exactly, prefer) = (port(wanted.exactly), port(wanted.prefer));
        Some(ServiceRequest { service: wanted.name.parse().ok()?, exactly, prefer })
    };
    Some(AllocateRequest {
        services: pending.services.into_iter().filter_map(service).collect(),
        environment: pending.environment.and_then(|name| name.parse().ok()),
        session: pending.session,
        ..AllocateRequest::default()
    })
}

/// Forgets it: it is done.
pub(super) fn forget(worktree: &Worktree) {
    let _ = files::remove(&identity::pending_file(worktree));
}

/// Returns what is told of a worktree that has no ports for this reason.
pub(super) fn describe(error: &Error) -> String {
    if error.kind.is_retryable() {
        return format!(
            "its ports are pending, and allocated as soon as the registry can be reached: {error}"
        );
    }
    format!("the worktree has no ports: {error}")
}
