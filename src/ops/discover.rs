//! Finds the services of other projects: `<project>/<service>`.

use std::collections::BTreeSet;

use super::standing::Standing;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Allocation, EnvironmentName, ProjectName, ServiceName};
use crate::store::{self, Filter};
use crate::template::variables::{self, Foreign};

/// Returns the allocation of another project's service: that of its worktree with the same branch, else
/// of its main worktree, else of the service without a worktree.
pub fn find(
    ctx: &mut Context,
    project: &ProjectName,
    service: &ServiceName,
    environment: &EnvironmentName,
    branch: Option<&str>,
) -> Result<Allocation> {
    let of_project =
        Filter { host: Some(ctx.host.key.clone()), project: Some(project.clone()), ..Filter::live() };
    let (mut found, mains) = store::read(ctx.store()?, |rows| -> Result<_, store::StoreError> {
        let found = rows.allocations(&of_project)?;
        let mut mains = BTreeSet::new();
        for token in found.iter().filter_map(|one| one.worktree.clone()).collect::<BTreeSet<_>>() {
            if rows.worktree(&token)?.is_some_and(|record| record.main) {
                mains.insert(token);
            }
        }
        Ok((found, mains))
    })?;
    if found.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, format!("project '{project}' has no ports"))
            .hint("see which projects have: git port list --all"));
    }
    let names: BTreeSet<String> = found.iter().map(|one| one.service.to_string()).collect();
    found.retain(|one| one.service == *service && one.environment == *environment);
    let rank = |one: &Allocation| {
        let token = one.worktree.as_ref();
        match token {
            Some(_) if branch.is_some() && one.branch.as_deref() == branch => Some(0),
            Some(token) if mains.contains(token) => Some(1),
            None => Some(2),
            Some(_) => None,
        }
    };
    let best = found
        .iter()
        .filter_map(|one| rank(one).map(|rank| (rank, one)))
        .min_by_key(|(rank, one)| (*rank, one.port));
    if let Some((_, one)) = best {
        return Ok(one.clone());
    }
    let elsewhere: Vec<&str> = found.iter().filter_map(|one| one.branch.as_deref()).collect();
    let error = if elsewhere.is_empty() {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        Error::new(
            ErrorKind::NotFound,
            format!("project '{project}' has no service '{service}' in '{environment}'"),
        )
        .hint(format!("its services: {names}"))
    } else {
        let of = branch.map_or_else(String::new, |branch| format!(" for branch '{branch}'"));
        Error::new(
            ErrorKind::NotFound,
            format!("'{project}/{service}' has no port{of} and none in its main worktree"),
        )
        .hint(format!("there is one for: {}", elsewhere.join(", ")))
    };
    Err(error.hint(format!("allocate it there: git -C <path to {project}> port allocate {service}")))
}

/// Returns the services of other projects that the `[env]` values name. One that has no port is left out:
/// whoever writes the values says so.
pub fn foreign(ctx: &mut Context, standing: &Standing, environment: &EnvironmentName) -> Vec<Foreign> {
    let branch = standing.worktree.branch();
    let mut found = Vec::new();
    for (project, service) in variables::foreign_services(&standing.settings.derived) {
        if let Ok(one) = find(ctx, &project, &service, environment, branch.as_deref()) {
            found.push(Foreign { project, service, port: one.port, url: one.url() });
        }
    }
    found
}
