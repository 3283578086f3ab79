//! The names there are, for a shell that completes a line. What cannot be found out is left out.

use std::collections::BTreeMap;

use super::standing::Standing;
use super::template;
use crate::context::Context;
use crate::registry::{Allocation, EnvironmentName};
use crate::store::{self, Filter, StoreError};

/// What is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Services that this worktree has or is to have.
    Services,
    /// Those, and the services of other projects, as `<project>/<service>`.
    ServicesAnywhere,
    /// Environments that have ranges.
    Environments,
    /// Projects that have ports or ranges.
    Projects,
    /// Ports of this project; of all, outside a repository.
    Ports,
    /// Worktrees of this repository, by their folders.
    Worktrees,
    /// Templates that may be used.
    Templates,
    /// Ranges that were reserved.
    Reservations,
}

/// Returns the names of a kind with a word about each, in order.
pub fn names(ctx: &mut Context, kind: Kind) -> Vec<(String, String)> {
    let standing = Standing::find(ctx).ok().flatten();
    let found: BTreeMap<String, String> = match kind {
        Kind::Services => services(ctx, standing.as_ref()).into_iter().collect(),
        Kind::ServicesAnywhere => {
            let own = standing.as_ref().map(|standing| standing.project.clone());
            let others = live(ctx).into_iter().filter(|one| Some(&one.project) != own.as_ref());
            let others = others.map(|one| (format!("{}/{}", one.project, one.service), String::new()));
            services(ctx, standing.as_ref()).into_iter().chain(others).collect()
        }
        Kind::Environments => {
            let settings = match &standing {
                Some(standing) => Some(standing.settings.clone()),
                None => ctx.settings(None, None).ok(),
            };
            let ranges = settings.into_iter().flat_map(|settings| settings.ranges);
            let words =
                |ranges: Vec<_>| ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            ranges.map(|(name, ranges)| (name.to_string(), words(ranges))).collect()
        }
        Kind::Projects => {
            let settings = ctx.settings(None, None).ok();
            let ranges = settings.into_iter().flat_map(|settings| settings.projects.into_keys());
            let named = live(ctx).into_iter().map(|one| one.project);
            named.chain(ranges).map(|name| (name.to_string(), String::new())).collect()
        }
        Kind::Ports => {
            let own = standing.as_ref().map(|standing| standing.project.clone());
            let ours = live(ctx).into_iter().filter(|one| own.as_ref().is_none_or(|own| one.project == *own));
            ours.map(|one| (one.port.to_string(), of(&one))).collect()
        }
        Kind::Worktrees => {
            let worktrees = standing.and_then(|standing| standing.repo.worktrees().ok()).unwrap_or_default();
            worktrees.iter().map(|one| (one.name(), one.branch().unwrap_or_default())).collect()
        }
        Kind::Templates => {
            let known = template::list(ctx).unwrap_or_default().into_iter().filter(|one| one.trusted);
            known.map(|one| (one.name, one.about)).collect()
        }
        Kind::Reservations => {
            let reserved = ctx.store().map(|store| store::read(store, |rows| rows.reservations()));
            let reserved = reserved.ok().and_then(Result::ok).unwrap_or_default();
            reserved.into_iter().map(|one| (one.range.to_string(), one.reason.unwrap_or_default())).collect()
        }
    };
    found.into_iter().collect()
}

fn services(ctx: &mut Context, standing: Option<&Standing>) -> Vec<(String, String)> {
    let Some(standing) = standing else { return Vec::new() };
    let has_port = |one: &Allocation| {
        one.path.as_ref() == Some(&standing.worktree.path) && one.environment == EnvironmentName::dev()
    };
    let own =
        live(ctx).into_iter().filter(has_port).map(|one| (one.service.to_string(), one.port.to_string()));
    let configured = standing.settings.services.iter().map(|one| (one.name.to_string(), String::new()));
    // The later of two wins: the one that has a port.
    configured.chain(own).collect()
}

fn live(ctx: &mut Context) -> Vec<Allocation> {
    let filter = Filter { host: Some(ctx.host.key.clone()), ..Filter::live() };
    let found = ctx
        .store()
        .map(|store| store::read(store, |rows| -> Result<_, StoreError> { rows.allocations(&filter) }));
    found.ok().and_then(Result::ok).unwrap_or_default()
}

fn of(allocation: &Allocation) -> String {
    let branch = allocation.branch.as_ref().map(|branch| format!(" ({branch})")).unwrap_or_default();
    format!("{}{branch}", allocation.owner())
}
