//! Changes what is noted about an allocation.

use super::{allocate, copies, followers};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Allocation, Event, EventKind, Port, Protocol, ServiceName};

pub use crate::registry::check_hostname;
use crate::store::{self, Filter};

/// What to change. An empty text removes what was noted.
#[derive(Clone, Debug, Default)]
pub struct UpdateRequest {
    /// Free text.
    pub description: Option<String>,
    /// The kind of service.
    pub service_type: Option<String>,
    /// The name it is reached by from outside.
    pub public_hostname: Option<String>,
    /// Another service name.
    pub service: Option<ServiceName>,
    /// Whether a cleanup must leave it alone.
    pub pinned: Option<bool>,
}

/// The allocation as it is now.
#[derive(Clone, Debug)]
pub struct Updated {
    /// The allocation.
    pub allocation: Allocation,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Changes what is noted about the live allocation of a port.
pub fn update(ctx: &mut Context, port: Port, protocol: Protocol, request: &UpdateRequest) -> Result<Updated> {
    let now = ctx.clock.now();
    if let Some(name) = request.public_hostname.as_deref().filter(|name| !name.is_empty()) {
        check_hostname(name)?;
    }
    let at = Filter {
        host: Some(ctx.host.key.clone()),
        protocol: Some(protocol),
        port: Some(port),
        ..Filter::live()
    };
    let allocation = store::write(ctx.store()?, |tx| -> Result<Allocation> {
        let Some(old) = tx.allocations(&at)?.pop() else {
            return Err(Error::new(ErrorKind::NotFound, format!("port {port} has no allocation"))
                .hint("see what there is: git port list --all"));
        };
        let mut new = old.clone();
        let set = |field: &mut Option<String>, value: &Option<String>| {
            if let Some(text) = value {
                *field = Some(text.clone()).filter(|text| !text.is_empty());
            }
        };
        set(&mut new.description, &request.description);
        set(&mut new.service_type, &request.service_type);
        if let Some(name) = request.public_hostname.as_deref().filter(|name| !name.is_empty()) {
            allocate::refuse_taken_hostname(tx, name, Some(old.id))?;
        }
        set(&mut new.public_hostname, &request.public_hostname);
        if let Some(pinned) = request.pinned {
            new.pinned = pinned;
        }
        if let Some(service) = request.service.clone().filter(|service| *service != old.service) {
            let same_name = Filter {
                host: Some(old.host.clone()),
                protocol: Some(protocol),
                project: Some(old.project.clone()),
                service: Some(service.clone()),
                environment: Some(old.environment.clone()),
                ..Filter::live()
            };
            let namesakes = tx.allocations(&same_name)?;
            if let Some(other) = namesakes.iter().find(|other| other.worktree == old.worktree) {
                let message =
                    format!("'{service}' is a service of the same worktree already, on port {}", other.port);
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            new.service = service;
        }
        if new != old {
            tx.update_allocation(&new)?;
            tx.append_event(&Event::of(&new, EventKind::Updated, now, changes(&old, &new)))?;
        }
        Ok(new)
    })?;
    let mut warnings =
        allocation.worktree.clone().map(|token| copies::refresh(ctx, &token)).unwrap_or_default();
    warnings.extend(followers::tell(ctx, [&allocation]));
    Ok(Updated { allocation, warnings })
}

fn changes(old: &Allocation, new: &Allocation) -> String {
    let mut changes = Vec::new();
    if old.service != new.service {
        changes.push(format!("service renamed from {}", old.service));
    }
    if old.description != new.description {
        changes.push("description".to_owned());
    }
    if old.service_type != new.service_type {
        changes.push("type".to_owned());
    }
    if old.public_hostname != new.public_hostname {
        changes.push("public hostname".to_owned());
    }
    if old.pinned != new.pinned {
        changes.push(if new.pinned { "pinned" } else { "unpinned" }.to_owned());
    }
    changes.join(", ")
}
