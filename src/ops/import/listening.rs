//! What listens now, in a worktree of a repository that is known: the ports to adopt.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

use crate::context::Context;
use crate::error::Result;
use crate::exchange::{Document, Row};
use crate::git::{Repo, Worktree};
use crate::ops::standing::Standing;
use crate::registry::{Allocation, EnvironmentName, Port, Protocol, ServiceName, states};
use crate::store::{self, Filter};
use crate::system::listeners;

/// Returns a row for each port that a process listens on which runs in a known worktree.
pub(super) fn document(ctx: &mut Context, standing: Option<&Standing>) -> Result<Document> {
    let here = ctx.host.key.clone();
    let filter = Filter { host: Some(here.clone()), ..Filter::live() };
    let (records, live) = store::read(ctx.store()?, |rows| -> Result<_, store::StoreError> {
        Ok((rows.worktrees(&here)?, rows.allocations(&filter)?))
    })?;
    let mut repositories: BTreeSet<PathBuf> =
        records.iter().map(|record| record.common_dir.clone()).collect();
    repositories.extend(standing.map(|standing| standing.repo.common_dir.clone()));
    let mut worktrees: BTreeMap<PathBuf, (Repo, Worktree)> = BTreeMap::new();
    for common_dir in repositories {
        let repo = Repo { git_dir: common_dir.clone(), common_dir, worktree: None };
        for worktree in repo.worktrees().unwrap_or_default() {
            let repo = Repo {
                git_dir: worktree.admin_dir.clone(),
                worktree: Some(worktree.path.clone()),
                ..repo.clone()
            };
            worktrees.insert(worktree.path.clone(), (repo, worktree));
        }
    }
    // Sockets without connections are many programs' outgoing UDP, so only TCP says that somebody serves.
    let mut listening = listeners::listeners().listeners;
    listening.retain(|listener| listener.protocol == Protocol::Tcp);
    let owners = listeners::owners(&listening);
    let mut found: BTreeMap<(PathBuf, Port), String> = BTreeMap::new();
    for listener in &listening {
        for process in owners.get(&listener.inode).into_iter().flatten() {
            let Some(cwd) = process.cwd.as_ref().filter(|_| !states::is_stand_in(&process.name)) else {
                continue;
            };
            // The innermost one, as when it is told whose a process is.
            let top = cwd.ancestors().find(|folder| worktrees.contains_key(*folder));
            if let Some(top) = top {
                found.entry((top.to_owned(), listener.port)).or_insert_with(|| process.name.clone());
            }
        }
    }
    let mut document = Document::default();
    let mut used: HashSet<(PathBuf, ServiceName)> = HashSet::new();
    for ((top, port), process) in found {
        let Some((repo, worktree)) = worktrees.get(&top).cloned() else { continue };
        let standing = Standing::of(ctx, repo, worktree)?;
        let of_tree = |one: &&Allocation| {
            one.path.as_deref() == Some(&top) && one.environment == EnvironmentName::dev()
        };
        let existing: Vec<&Allocation> = live.iter().filter(of_tree).collect();
        let has = |service: &ServiceName| {
            used.contains(&(top.clone(), service.clone()))
                || existing.iter().any(|one| one.service == *service)
        };
        let known = live.iter().find(|one| one.port == port && one.path.as_deref() == Some(&top));
        let configured = standing.settings.services.iter().find(|service| service.prefer == Some(port));
        let service = match (known, configured) {
            (Some(known), _) => known.service.clone(),
            (None, Some(configured)) if !has(&configured.name) => configured.name.clone(),
            _ => {
                let default = standing.default_services().into_iter().next();
                let own = ServiceName::from_text(&process);
                default
                    .filter(|default| !has(default))
                    .or_else(|| (!has(&own)).then_some(own))
                    .unwrap_or_else(|| ServiceName::from_text(&format!("{process}-{port}")))
            }
        };
        used.insert((top.clone(), service.clone()));
        let environment = known.map_or_else(EnvironmentName::dev, |known| known.environment.clone());
        document.rows.push(Row {
            service: Some(service),
            environment: Some(environment),
            path: Some(top),
            ..Row::new(port)
        });
    }
    Ok(document)
}
