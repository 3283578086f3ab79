//! Where one stands: repository, worktree, project, and the settings that hold there.

use std::path::{Path, PathBuf};

use crate::config::Settings;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{Repo, Worktree, identity};
use crate::registry::{EnvironmentName, Place, ProjectName, ServiceName, WorktreeRecord};
use crate::system::{files, mounts};

/// A worktree, and what holds in it.
pub struct Standing {
    /// Its repository.
    pub repo: Repo,
    /// The worktree.
    pub worktree: Worktree,
    /// The project it belongs to.
    pub project: ProjectName,
    /// The settings that hold in it.
    pub settings: Settings,
}

impl Standing {
    /// Returns the worktree one stands in.
    pub fn here(ctx: &mut Context) -> Result<Self> {
        let repo = ctx.repo()?;
        let worktree = repo.current()?;
        Self::of(ctx, repo, worktree)
    }

    /// Returns the worktree one stands in; none outside of any.
    pub fn find(ctx: &mut Context) -> Result<Option<Self>> {
        match ctx.find_repo()? {
            Some(repo) if repo.worktree.is_some() => {
                let worktree = repo.current()?;
                Self::of(ctx, repo, worktree).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Returns this worktree of this repository.
    pub fn of(ctx: &mut Context, repo: Repo, worktree: Worktree) -> Result<Self> {
        let settings = ctx.settings(Some(&repo), Some(&worktree.path))?;
        let project = project_name(&settings, &repo);
        Ok(Self { repo, worktree, project, settings })
    }

    /// Returns the path of the worktree's file of variables.
    pub fn env_file(&self) -> PathBuf {
        self.worktree.path.join(&self.settings.worktree.env_file)
    }

    /// Returns what the registry is to remember of the worktree, giving it a token if need be.
    pub fn record(&self, ctx: &Context) -> Result<WorktreeRecord> {
        let worktree = &self.worktree;
        Ok(WorktreeRecord {
            token: identity::token(worktree)?,
            host: ctx.host.key.clone(),
            project: self.project.clone(),
            repository: identity::repository_token(&self.repo.common_dir)?,
            common_dir: self.repo.common_dir.clone(),
            admin_dir: worktree.admin_dir.clone(),
            path: worktree.path.clone(),
            branch: worktree.branch(),
            main: worktree.main,
            place: place(&worktree.path),
            seen_at: ctx.clock.now(),
            missing_since: None,
        })
    }

    /// Returns the services this worktree is to have: the configured ones, else one named after project
    /// and branch (or folder, where HEAD is detached).
    pub fn default_services(&self) -> Vec<ServiceName> {
        if self.settings.services.is_empty() {
            let branch = self.worktree.branch().unwrap_or_else(|| self.worktree.name());
            return vec![ServiceName::for_branch(&self.project, &branch)];
        }
        self.settings.services.iter().map(|service| service.name.clone()).collect()
    }
}

/// Returns the project of a repository: the configured name, else that of the main worktree's folder.
pub fn project_name(settings: &Settings, repo: &Repo) -> ProjectName {
    settings.project.clone().unwrap_or_else(|| {
        let folder = repo.project_folder();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        ProjectName::from_folder(name.strip_suffix(".git").unwrap_or(&name))
    })
}

/// Returns the top of the worktree that a path lies in, or, where there is none any more, the path itself
/// as it would be recorded.
pub fn top_of(path: &Path) -> PathBuf {
    let repo = if path.is_dir() { Repo::at(path).ok() } else { None };
    repo.and_then(|repo| repo.worktree).unwrap_or_else(|| files::canonical(path))
}

fn place(path: &Path) -> Place {
    mounts::place(path).unwrap_or_default()
}

/// Returns the environment meant by one who may not have named any, which must have a range.
pub fn environment(settings: &Settings, named: Option<&EnvironmentName>) -> Result<EnvironmentName> {
    let name = named.cloned().unwrap_or_else(EnvironmentName::dev);
    if settings.ranges.contains_key(&name) {
        return Ok(name);
    }
    let known: Vec<&str> = settings.ranges.keys().map(EnvironmentName::as_str).collect();
    Err(Error::new(ErrorKind::Usage, format!("'{name}' is not an environment"))
        .hint(format!("use one of: {}", known.join(", ")))
        .hint(format!("or give it ports: git port range set --environment {name} <first>-<last>")))
}
