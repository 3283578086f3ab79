//! Decides what a document leaves open: whose worktree a path is, and which project and environment a
//! row belongs to that names none.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::ImportRequest;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exchange::Row;
use crate::git::{Repo, identity};
use crate::ops::standing::Standing;
use crate::registry::import::Candidate;
use crate::registry::{Allocation, EnvironmentName, ProjectName, ServiceName, Status, Token, WorktreeRecord};
use crate::system::{files, random_bytes};

/// A worktree that exists, as far as rows need to know it.
#[derive(Clone)]
struct Home {
    record: WorktreeRecord,
    /// The service that `PORT` stands for, where the configuration says; the name it has otherwise.
    configured: Option<ServiceName>,
    default: ServiceName,
}

pub(super) struct Resolver<'a> {
    ctx: &'a mut Context,
    request: &'a ImportRequest,
    standing: Option<&'a Standing>,
    /// The worktree one stands in; asked for once, and only if a row needs it.
    here: OnceCell<Option<Home>>,
    homes: HashMap<PathBuf, Option<Home>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(
        ctx: &'a mut Context,
        request: &'a ImportRequest,
        standing: Option<&'a Standing>,
    ) -> Self {
        Self { ctx, request, standing, here: OnceCell::new(), homes: HashMap::new() }
    }

    /// Returns the rows as the registry would hold them. Those of git-port's own documents are so already.
    pub(super) fn candidates(&mut self, rows: Vec<Row>, own: bool) -> Result<Vec<Candidate>> {
        let mut named_primary: HashSet<(Token, EnvironmentName)> = HashSet::new();
        let mut candidates = Vec::with_capacity(rows.len());
        let mut open = Vec::new();
        for row in rows {
            let primary = row.primary;
            let (candidate, home) = self.candidate(row, own)?;
            if let Some(token) = candidate.allocation.worktree.clone().filter(|_| !own) {
                let key = (token, candidate.allocation.environment.clone());
                match primary {
                    Some(true) => drop(named_primary.insert(key)),
                    Some(false) => {}
                    None => open.push((candidates.len(), key, home)),
                }
            }
            candidates.push(candidate);
        }
        for (index, key, home) in open {
            // As when a port is allocated: the configured service, or else the first.
            let one: &mut Allocation = &mut candidates[index].allocation;
            let configured = home.and_then(|home| home.configured);
            let fits = configured.is_none_or(|configured| configured == one.service);
            one.primary = fits && !named_primary.contains(&key);
        }
        Ok(candidates)
    }

    /// Returns the worktrees that rows were found to belong to.
    pub(super) fn into_records(self) -> HashMap<Token, WorktreeRecord> {
        let homes = self.homes.into_values().chain(self.here.into_inner()).flatten();
        homes.map(|home| (home.record.token.clone(), home.record)).collect()
    }

    fn candidate(&mut self, row: Row, own: bool) -> Result<(Candidate, Option<Home>)> {
        let asked = self.request;
        let environment = row
            .environment
            .clone()
            .or_else(|| asked.environment.clone())
            .unwrap_or_else(EnvironmentName::dev);
        let home = match &row.path {
            _ if own => None,
            Some(path) => self.home(path)?,
            // Whoever names nothing means where one stands, as with `allocate`.
            None if row.project.is_none() && asked.project.is_none() => self.here()?,
            None => None,
        };
        let folder = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            ProjectName::from_folder(&name)
        };
        let of_home = home.as_ref().map(|home| home.record.project.clone());
        let project = of_home
            .or_else(|| row.project.clone())
            .or_else(|| asked.project.clone())
            .or_else(|| row.path.as_ref().map(folder))
            .ok_or_else(|| {
                let line = row.line.map(|line| format!(", line {line}")).unwrap_or_default();
                Error::usage(format!("{line}: no project is named for port {}", row.port))
                    .hint("name the project of all such rows: --project <name>")
                    .hint("or stand in the worktree they belong to: git port -C <path> import …")
            })?;
        let service = row.service.clone().or_else(|| home.as_ref().map(|home| home.default.clone()));
        // A production service is not run from a worktree, and must not lose its port with one.
        let of_worktree = home.as_ref().filter(|_| !environment.is_production()).map(|home| &home.record);
        let now = self.ctx.clock.now();
        let allocated_at = row.allocated_at.unwrap_or(now);
        let released_at = match row.status {
            Status::Released => {
                Some(row.released_at.or(row.last_checked_at).unwrap_or(allocated_at).max(allocated_at))
                    .filter(|_| !own)
                    .or(row.released_at)
            }
            Status::Allocated | Status::Active => None,
        };
        let allocation = Allocation {
            id: 0,
            host: row.host.unwrap_or_else(|| self.ctx.host.key.clone()),
            user: if own { row.user } else { row.user.or_else(|| self.ctx.user.clone()) },
            protocol: row.protocol,
            port: row.port,
            project,
            worktree: if own { row.token } else { of_worktree.map(|record| record.token.clone()) },
            path: of_worktree.map(|record| record.path.clone()).or(row.path),
            branch: of_worktree.and_then(|record| record.branch.clone()).or(row.branch),
            service: service.unwrap_or_else(|| ServiceName::from_text("web")),
            environment,
            primary: row.primary.unwrap_or_default() && (own || of_worktree.is_some()),
            status: row.status,
            service_type: row.service_type,
            description: row.description,
            public_hostname: row.public_hostname,
            pinned: row.pinned,
            session: row.session,
            allocated_at,
            last_used_at: row.last_used_at,
            last_checked_at: row.last_checked_at,
            released_at,
        };
        Ok((Candidate { line: row.line, allocation }, home))
    }

    fn here(&mut self) -> Result<Option<Home>> {
        if let Some(home) = self.here.get() {
            return Ok(home.clone());
        }
        let home = match self.standing {
            Some(standing) => Some(self.describe(standing)?),
            None => None,
        };
        Ok(self.here.get_or_init(|| home).clone())
    }

    /// Returns the worktree whose top folder this is, if there is one.
    fn home(&mut self, path: &Path) -> Result<Option<Home>> {
        if let Some(home) = self.homes.get(path) {
            return Ok(home.clone());
        }
        let home = match self.standing_at(path) {
            Some(standing) => Some(self.describe(&standing)?),
            None => None,
        };
        self.homes.insert(path.to_owned(), home.clone());
        Ok(home)
    }

    fn standing_at(&mut self, path: &Path) -> Option<Standing> {
        let top = files::canonical(path);
        // A path of another machine, or a folder inside some other repository, is a label and no more.
        let repo = if top.is_dir() { Repo::at(&top).ok() } else { None }?;
        let worktree = repo.current().ok().filter(|worktree| worktree.path == top)?;
        Standing::of(self.ctx, repo, worktree).ok()
    }

    fn describe(&mut self, standing: &Standing) -> Result<Home> {
        let default = standing.default_services().into_iter().next();
        let configured = standing.settings.services.first().map(|service| service.name.clone());
        let default = default.unwrap_or_else(|| ServiceName::from_text("web"));
        if self.request.dry_run && identity::find_token(&standing.worktree)?.is_none() {
            // It would be given a token, which a dry run must not do.
            return Ok(Home { record: pretended(self.ctx, standing)?, configured, default });
        }
        Ok(Home { record: standing.record(self.ctx)?, configured, default })
    }
}

fn pretended(ctx: &Context, standing: &Standing) -> Result<WorktreeRecord> {
    let token = Token::from_random(random_bytes()?);
    Ok(WorktreeRecord {
        token: token.clone(),
        host: ctx.host.key.clone(),
        project: standing.project.clone(),
        repository: token,
        common_dir: standing.repo.common_dir.clone(),
        admin_dir: standing.worktree.admin_dir.clone(),
        path: standing.worktree.path.clone(),
        branch: standing.worktree.branch(),
        main: standing.worktree.main,
        place: crate::registry::Place::default(),
        seen_at: ctx.clock.now(),
        missing_since: None,
    })
}
