//! What the worktrees themselves know of their ports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::git::{Repo, Worktree, identity};
use crate::ops::copies::{self, ENV_FILE};
use crate::ops::standing::{self, Standing};
use crate::registry::{
    Allocation, EnvironmentName, Port, ProjectName, Protocol, Status, Token, WorktreeRecord,
};
use crate::system::files;
use crate::template::dotenv;

/// Where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The copy in the administrative directory.
    Copy,
    /// The file of variables at the top of the worktree, which knows less.
    EnvFile,
}

/// The ports that a worktree carries.
#[derive(Clone, Debug)]
pub struct Carried {
    /// The worktree, as the registry is to remember it.
    pub record: WorktreeRecord,
    /// Its allocations.
    pub allocations: Vec<Allocation>,
    /// Where they were read.
    pub source: Source,
    /// Whether the worktree is there; its disk may not be mounted.
    pub present: bool,
}

/// Returns what all worktrees of these repositories carry. What cannot be read is left out.
pub fn carried(ctx: &mut Context, common_dirs: &BTreeSet<PathBuf>) -> Vec<Carried> {
    let mut found = Vec::new();
    for common_dir in common_dirs {
        let repo = Repo { common_dir: common_dir.clone(), git_dir: common_dir.clone(), worktree: None };
        // Where git-port never was, nobody carries anything.
        if !matches!(identity::find_repository_token(common_dir), Ok(Some(_))) {
            continue;
        }
        // A copy of a repository has the tokens of the original, which must be told apart first.
        let Ok(repository) = identity::repository_token(common_dir) else { continue };
        for worktree in repo.worktrees().unwrap_or_default() {
            // One that is there and leads elsewhere belongs to the repository this one was copied from.
            let present = worktree.is_connected();
            if present || !worktree.path.exists() {
                found.extend(carried_by(ctx, &repo, &repository, worktree, present));
            }
        }
    }
    let mut seen = BTreeSet::new();
    found.sort_by_key(|carried| !carried.present);
    found.retain(|carried| seen.insert(carried.record.token.clone()));
    found
}

fn carried_by(
    ctx: &mut Context,
    repo: &Repo,
    repository: &Token,
    worktree: Worktree,
    present: bool,
) -> Option<Carried> {
    let token = identity::find_token(&worktree).ok().flatten()?;
    if let Some(allocations) = copies::load(&worktree) {
        let project = match allocations.first() {
            Some(allocation) => allocation.project.clone(),
            None => Standing::of(ctx, repo.clone(), worktree.clone()).ok()?.project,
        };
        let record = record(ctx, repo, repository, &worktree, token, project);
        return Some(Carried { record, allocations, source: Source::Copy, present });
    }
    let standing = Standing::of(ctx, repo.clone(), worktree.clone()).ok()?;
    let allocations = from_env_file(ctx, &standing, &token)?;
    let record = record(ctx, repo, repository, &worktree, token, standing.project);
    Some(Carried { record, allocations, source: Source::EnvFile, present })
}

fn record(
    ctx: &Context,
    repo: &Repo,
    repository: &Token,
    worktree: &Worktree,
    token: Token,
    project: ProjectName,
) -> WorktreeRecord {
    WorktreeRecord {
        token,
        host: ctx.host.key.clone(),
        project,
        repository: repository.clone(),
        common_dir: repo.common_dir.clone(),
        admin_dir: worktree.admin_dir.clone(),
        path: worktree.path.clone(),
        branch: worktree.branch(),
        main: worktree.main,
        place: standing::place(&worktree.path),
        seen_at: ctx.clock.now(),
        missing_since: None,
    }
}

/// Returns what the file of variables says of the services that the worktree is to have.
fn from_env_file(ctx: &Context, standing: &Standing, token: &Token) -> Option<Vec<Allocation>> {
    let text = load_env_file(&standing.worktree.path)?;
    if dotenv::identity(&text)?.token != token.as_str() {
        return None;
    }
    let variables = dotenv::parse(&text);
    let port = |name: &str| {
        let variable = variables.iter().find(|variable| variable.name == name)?;
        variable.value.parse().ok().and_then(Port::new)
    };
    let primary = port("PORT");
    let mut allocations = Vec::new();
    for (index, service) in standing.default_services().into_iter().enumerate() {
        let settings = standing.settings.service(&service);
        let own = settings.and_then(|settings| settings.variables.first().cloned());
        let own = own.unwrap_or_else(|| format!("{}_PORT", service.variable_stem()));
        let Some(port) = port(&own).or(primary.filter(|_| index == 0)) else { continue };
        allocations.push(Allocation {
            id: 0,
            host: ctx.host.key.clone(),
            user: ctx.user.clone(),
            protocol: settings.map_or(Protocol::Tcp, |settings| settings.protocol),
            port,
            project: standing.project.clone(),
            worktree: Some(token.clone()),
            path: Some(standing.worktree.path.clone()),
            branch: standing.worktree.branch(),
            service,
            environment: EnvironmentName::dev(),
            primary: Some(port) == primary,
            status: Status::Allocated,
            service_type: settings.and_then(|settings| settings.service_type.clone()),
            description: settings.and_then(|settings| settings.description.clone()),
            public_hostname: None,
            pinned: false,
            session: None,
            allocated_at: ctx.clock.now(),
            last_used_at: None,
            last_checked_at: None,
            released_at: None,
        });
    }
    Some(allocations)
}

fn load_env_file(top: &Path) -> Option<String> {
    files::load_text(&top.join(ENV_FILE)).ok().flatten()
}
