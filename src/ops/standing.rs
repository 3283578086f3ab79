//! Where one stands: repository, worktree, project, and the settings that hold there.

use std::path::{Path, PathBuf};

use crate::config::Settings;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{Repo, Worktree, identity};
use crate::registry::{EnvironmentName, Place, ProjectName, ServiceName, Token, WorktreeRecord};
use crate::store;
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
        let worktree = current(ctx, &repo)?;
        Self::of(ctx, repo, worktree)
    }

    /// Returns the worktree one stands in; none outside of any.
    pub fn find(ctx: &mut Context) -> Result<Option<Self>> {
        match ctx.find_repo()? {
            Some(repo) if repo.worktree.is_some() => {
                let worktree = current(ctx, &repo)?;
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

    /// Returns a worktree that the registry knows; none if it is not there any more.
    pub fn of_record(ctx: &mut Context, record: WorktreeRecord) -> Result<Option<Self>> {
        let worktree =
            Worktree { admin_dir: record.admin_dir, path: record.path, main: record.main, locked: false };
        if !matches!(identity::find_token(&worktree), Ok(Some(found)) if found == record.token) {
            return Ok(None);
        }
        let repo = Repo {
            common_dir: record.common_dir,
            git_dir: worktree.admin_dir.clone(),
            worktree: Some(worktree.path.clone()),
        };
        Self::of(ctx, repo, worktree).map(Some)
    }

    /// Returns the path of the worktree's file of variables.
    pub fn env_file(&self) -> PathBuf {
        self.worktree.path.join(&self.settings.worktree.env_file)
    }

    /// Returns what the registry is to remember of the worktree, giving it a token if need be.
    pub fn record(&self, ctx: &mut Context) -> Result<WorktreeRecord> {
        let worktree = &self.worktree;
        let repository = identity::repository_token(&self.repo.common_dir)?;
        let token = match identity::find_token(worktree)? {
            Some(token) => token,
            None => match self.lost_token(ctx, &repository)? {
                Some(token) => identity::restore_token(worktree, &token)?,
                None => identity::token(worktree)?,
            },
        };
        Ok(WorktreeRecord {
            token,
            host: ctx.host.key.clone(),
            project: self.project.clone(),
            repository,
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

    /// Returns the token of the worktree that was here before: if nothing but the file was lost, its ports
    /// must not move. One made anew in the same place for the same branch may have them, too.
    fn lost_token(&self, ctx: &mut Context, repository: &Token) -> Result<Option<Token>> {
        let worktree = &self.worktree;
        let branch = worktree.branch();
        let host = ctx.host.key.clone();
        let recorded = store::read(ctx.store()?, |rows| rows.worktrees(&host))?;
        let lost = recorded.into_iter().find(|record| {
            record.repository == *repository
                && record.main == worktree.main
                && record.admin_dir == worktree.admin_dir
                && record.path == worktree.path
                && (record.main || record.branch == branch)
        });
        let Some(WorktreeRecord { token, .. }) = lost else { return Ok(None) };
        // git may have given another name to what has the token now.
        let elsewhere = identity::find_admin_dir(&self.repo.common_dir, &token)?;
        Ok(elsewhere.is_none().then_some(token))
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

/// Returns the worktree one stands in. A copy of a worktree's folder is no worktree of its own: git takes
/// it for the original, and so must we, or the original's ports would follow whoever asks last.
pub(super) fn current(ctx: &mut Context, repo: &Repo) -> Result<Worktree> {
    let worktree = repo.current()?;
    let Some(original) = worktree.original() else { return Ok(worktree) };
    ctx.note(format!(
        "'{}' is a copy of the worktree '{}' and has no ports of its own; make a worktree with: git port \
         worktree create <branch>",
        worktree.path.display(),
        original.display()
    ));
    Ok(Worktree { path: original, ..worktree })
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

pub(super) fn place(path: &Path) -> Place {
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
