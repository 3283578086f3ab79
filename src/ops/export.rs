//! Writes what the registry holds as a document.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::context::Context;
use crate::error::Result;
use crate::exchange::{self, Export, ExportFormat};
use crate::ops::list;
use crate::registry::{EnvironmentName, ProjectName, RangeRecord, Token};
use crate::store::{self, Filter};
use crate::system::files::{self, Access};

/// What to export, and as what.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    /// The format.
    pub format: ExportFormat,
    /// Of all projects.
    pub all: bool,
    /// Of this project; of the one stood in if none is named, and of all outside a repository.
    pub project: Option<ProjectName>,
    /// In this environment.
    pub environment: Option<EnvironmentName>,
    /// Released ones too.
    pub released: bool,
    /// Into this file.
    pub output: Option<PathBuf>,
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The document.
    pub text: String,
    /// How many allocations the registry has of what was asked for.
    pub count: usize,
}

/// Returns the document, and writes it into its file if one is named.
pub fn export(ctx: &mut Context, request: &ExportRequest) -> Result<Exported> {
    let project = match &request.project {
        Some(project) => Some(project.clone()),
        None if request.all => None,
        None => list::find_project_here(ctx)?,
    };
    let filter = Filter {
        project: project.clone(),
        environment: request.environment.clone(),
        live: if request.released { None } else { Some(true) },
        ..Filter::default()
    };
    let host = ctx.host.key.clone();
    let whole = project.is_none() && request.environment.is_none();
    let export = store::read(ctx.store()?, |rows| -> Result<Export, store::StoreError> {
        let allocations = rows.allocations(&filter)?;
        let mut keys: BTreeSet<String> = allocations.iter().map(|one| one.host.clone()).collect();
        let tokens: BTreeSet<&Token> = allocations.iter().filter_map(|one| one.worktree.as_ref()).collect();
        let mut worktrees = Vec::new();
        if whole {
            keys.insert(host.clone());
            for key in &keys {
                worktrees.extend(rows.worktrees(key)?);
            }
        } else {
            for token in tokens {
                worktrees.extend(rows.worktree(token)?);
            }
        }
        let mut hosts = Vec::new();
        for key in keys {
            let name = rows.host_name(&key)?;
            hosts.extend(name.map(|name| (key, name)));
        }
        let mut ranges = rows.ranges()?;
        ranges.retain(|record| match record {
            RangeRecord::Environment(name, _) => whole || request.environment.as_ref() == Some(name),
            RangeRecord::Project(name, _) => whole || project.as_ref() == Some(name),
        });
        let reservations = if whole { rows.reservations()? } else { Vec::new() };
        Ok(Export { host: host.clone(), hosts, allocations, worktrees, ranges, reservations })
    })?;
    let exported =
        Exported { text: exchange::render(&export, request.format), count: export.allocations.len() };
    if let Some(path) = &request.output {
        files::replace(path, exported.text.as_bytes(), Access::Public)?;
    }
    Ok(exported)
}
