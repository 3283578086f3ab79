//! How full the ranges are.

use super::allocate;
use super::list::{self, Listed};
use super::standing;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{EnvironmentName, PortRange, ProjectName, State};
use crate::store::{self, Filter};

/// From this share of a range on, its users are warned: percent.
pub const WARN_FROM: f64 = 80.0;

/// How full one range is.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeStats {
    /// The environment it is for; none for a project's own range.
    pub environment: Option<EnvironmentName>,
    /// The project it is for, if it is a project's own.
    pub project: Option<ProjectName>,
    /// The range.
    pub range: PortRange,
    /// How many ports it has.
    pub total: u32,
    /// How many of them are promised.
    pub allocated: u32,
    /// How many of those have a process of theirs listening.
    pub active: u32,
    /// How many are reserved.
    pub reserved: u32,
    /// How many are neither promised nor reserved.
    pub available: u32,
}

impl RangeStats {
    /// Returns the promised share in percent, to one decimal.
    pub fn utilization(&self) -> f64 {
        (f64::from(self.allocated) * 1000.0 / f64::from(self.total.max(1))).round() / 10.0
    }

    /// Returns the warning that is due from [`WARN_FROM`] on.
    pub fn warning(&self) -> Option<String> {
        let whose = match (&self.project, &self.environment) {
            (Some(project), _) => project.to_string(),
            (None, environment) => environment.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        let full = self.utilization();
        (full >= WARN_FROM).then(|| format!("{whose} port range {} is {full:.0}% full", self.range))
    }
}

/// A project's ports at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The project.
    pub project: ProjectName,
    /// Its own ranges; empty if it takes its ports from the environments'.
    pub ranges: Vec<RangeStats>,
    /// Its live allocations.
    pub services: Vec<Listed>,
}

/// Returns how full the ranges of an environment are, or of all.
pub fn stats(ctx: &mut Context, environment: Option<&EnvironmentName>) -> Result<Vec<RangeStats>> {
    let repo = ctx.find_repo()?;
    let top = repo.as_ref().and_then(|repo| repo.worktree.clone());
    let settings = ctx.settings(repo.as_ref(), top.as_deref())?;
    if let Some(named) = environment {
        standing::environment(&settings, Some(named))?;
    }
    let live = live(ctx)?;
    let mut stats = all(&with_reservations(ctx, &settings)?, &live);
    if let Some(wanted) = environment {
        stats.retain(|stats| stats.environment.as_ref() == Some(wanted));
    }
    Ok(stats)
}

/// Returns how full each of these ranges is, environments first, given all live allocations of this
/// machine.
pub(super) fn all(ranges: &crate::registry::Ranges, live: &[Listed]) -> Vec<RangeStats> {
    let mut stats = Vec::new();
    for (name, list) in &ranges.environments {
        stats.extend(list.iter().map(|range| count(Some(name.clone()), None, *range, ranges, live)));
    }
    for (name, list) in &ranges.projects {
        stats.extend(list.iter().map(|range| count(None, Some(name.clone()), *range, ranges, live)));
    }
    stats
}

/// Returns the range and the services of a project; of the one stood in, if none is named.
pub fn summary(ctx: &mut Context, project: Option<&ProjectName>) -> Result<Summary> {
    let repo = ctx.find_repo()?;
    let top = repo.as_ref().and_then(|repo| repo.worktree.clone());
    let settings = ctx.settings(repo.as_ref(), top.as_deref())?;
    let project = match (project, &repo) {
        (Some(project), _) => project.clone(),
        (None, Some(repo)) => standing::project_name(&settings, repo),
        (None, None) => {
            return Err(Error::new(
                ErrorKind::NotARepository,
                "not in a repository, and no project is named",
            )
            .hint("name one: git port summary <project>"));
        }
    };
    let mut services = live(ctx)?;
    let ranges = with_reservations(ctx, &settings)?;
    let own = ranges.projects.get(&project).cloned().unwrap_or_default();
    let stats =
        own.iter().map(|range| count(None, Some(project.clone()), *range, &ranges, &services)).collect();
    services.retain(|listed| listed.allocation.project == project);
    if services.is_empty() && own.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, format!("'{project}' has no ports and no range"))
            .hint("see which have: git port list --all"));
    }
    Ok(Summary { project, ranges: stats, services })
}

fn live(ctx: &mut Context) -> Result<Vec<Listed>> {
    let filter = Filter { host: Some(ctx.host.key.clone()), ..Filter::live() };
    let allocations = store::read(ctx.store()?, |rows| rows.allocations(&filter))?;
    list::states(ctx, allocations)
}

fn with_reservations(
    ctx: &mut Context,
    settings: &crate::config::Settings,
) -> Result<crate::registry::Ranges> {
    let reservations = store::read(ctx.store()?, |rows| rows.reservations())?;
    Ok(allocate::ranges(settings, reservations))
}

fn count(
    environment: Option<EnvironmentName>,
    project: Option<ProjectName>,
    range: PortRange,
    ranges: &crate::registry::Ranges,
    live: &[Listed],
) -> RangeStats {
    let mut ports: Vec<_> = live.iter().filter(|listed| range.contains(listed.allocation.port)).collect();
    ports.sort_by_key(|listed| listed.allocation.port);
    // A port with a TCP and a UDP owner is one port of the range.
    ports.dedup_by_key(|listed| listed.allocation.port);
    let active = ports.iter().filter(|listed| listed.state == State::Active);
    let size = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let reserved = ranges.reserved_in(range);
    // One may ask by number for a port that is reserved.
    let both = ports.iter().filter(|listed| ranges.reservation(listed.allocation.port).is_some());
    let spoken_for = size(ports.len()) + reserved - size(both.count());
    RangeStats {
        environment,
        project,
        range,
        total: range.size(),
        allocated: size(ports.len()),
        active: size(active.count()),
        reserved,
        available: range.size().saturating_sub(spoken_for),
    }
}
