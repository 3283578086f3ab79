//! Takes ports over from a document, or from what listens now.
//!
//! Everything is read and resolved first; then one transaction plans and stores, so that an import
//! happens whole or not at all, whatever ends it.

mod listening;
mod resolve;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use resolve::Resolver;

use super::standing::Standing;
use super::{allocate, cleanup, copies, followers};
use crate::config::Settings;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{self, Document, Format, ParseError, Skipped, detect};
use crate::git::observe;
use crate::registry::import::{self, Candidate, ImportFacts, ImportPlan, OnConflict};
use crate::registry::liveness::judge;
use crate::registry::{
    Allocation, EnvironmentName, Event, EventKind, Port, ProjectName, RangeRecord, Token, WorktreeRecord,
};
use crate::store::{self, Filter, Rows, Transaction};
use crate::system::{SystemError, files};

/// Where ports are taken over from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// What listens now, run from a worktree of a known repository.
    Listening,
}

/// What to import, and how.
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// From where.
    pub source: Source,
    /// Which format it has; found out if none is named.
    pub format: Option<Format>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// What to do with rows that are in the way of somebody.
    pub on_conflict: OnConflict,
    /// The project of rows that name none.
    pub project: Option<ProjectName>,
    /// The environment of rows that name none.
    pub environment: Option<EnvironmentName>,
    /// Take ports for production that lie where others get theirs.
    pub force: bool,
}

/// What was imported, or would be.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// The plan that was followed, if it is clear.
    pub plan: ImportPlan,
    /// What in the document is no port.
    pub skipped: Vec<Skipped>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// What has been read and resolved, before the registry is asked.
struct Prepared {
    source: String,
    document: Document,
    candidates: Vec<Candidate>,
    records: HashMap<Token, WorktreeRecord>,
    settings: Settings,
}

/// Imports, or says what an import would do.
pub fn import(ctx: &mut Context, request: &ImportRequest) -> Result<Imported> {
    let standing = Standing::find(ctx)?;
    let (source, mut document) = read(ctx, request, standing.as_ref())?;
    let settings = match &standing {
        Some(standing) => standing.settings.clone(),
        None => ctx.settings(None, None)?,
    };
    let rows = std::mem::take(&mut document.rows);
    let mut resolver = Resolver::new(ctx, request, standing.as_ref());
    let candidates = resolver.candidates(rows, document.own).map_err(|error| named(&source, error))?;
    let records = resolver.into_records();
    let skipped = document.skipped.clone();
    let prepared = Prepared { source, document, candidates, records, settings };
    let going_on = ctx.going_on(|| format!("recording {} ports", prepared.candidates.len()));
    let plan = if request.dry_run {
        store::read(ctx.store()?, |rows| prepared.plan(rows, request))?
    } else {
        carry_out(ctx, &prepared, request)?
    };
    drop(going_on);
    let mut warnings = Vec::new();
    if !request.dry_run && plan.is_clear() {
        let here = ctx.host.key.clone();
        let changed = plan.stored().into_iter().map(|candidate| &candidate.allocation).chain(&plan.replaced);
        let tokens: BTreeSet<Token> =
            changed.filter(|one| one.host == here).filter_map(|one| one.worktree.clone()).collect();
        for token in tokens {
            warnings.extend(copies::refresh(ctx, &token));
        }
        let changed = plan.stored().into_iter().map(|candidate| &candidate.allocation).chain(&plan.replaced);
        warnings.extend(followers::tell(ctx, changed));
    }
    Ok(Imported { dry_run: request.dry_run, plan, skipped, warnings })
}

/// Returns why a plan is not carried out; none if it is.
pub fn refusal(imported: &Imported) -> Option<Error> {
    let plan = &imported.plan;
    if plan.is_clear() {
        return None;
    }
    let count = plan.conflicts.len() + plan.unclear.len();
    let what = if count == 1 { "1 conflict".to_owned() } else { format!("{count} conflicts") };
    let tense = if imported.dry_run { "would be" } else { "was" };
    Some(
        Error::new(ErrorKind::Conflict, format!("{what}: nothing {tense} imported"))
            .hint("leave out what conflicts: --on-conflict skip")
            .hint("or take it from worktrees that are gone and services outside git: --on-conflict replace"),
    )
}

fn read(
    ctx: &mut Context,
    request: &ImportRequest,
    standing: Option<&Standing>,
) -> Result<(String, Document)> {
    let (source, bytes, name) = match &request.source {
        Source::Listening => {
            return Ok(("what listens".to_owned(), listening::document(ctx, standing)?));
        }
        Source::Stdin => ("standard input".to_owned(), files::load_input(exchange::LARGEST)?, None),
        Source::File(path) => {
            let bytes = files::load_up_to(path, exchange::LARGEST)?.ok_or_else(|| {
                Error::new(ErrorKind::NotFound, format!("there is no file '{}'", path.display()))
            })?;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            (format!("'{}'", path.display()), bytes, name)
        }
    };
    let Some(bytes) = bytes_in_bounds(bytes) else {
        let path = PathBuf::from(source.trim_matches('\''));
        return Err(SystemError::Unsafe { path, why: "is larger than 64 MiB" }.into());
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        Error::usage(format!("{source}, line {line}: this is not UTF-8 text"))
    })?;
    let format = match request.format {
        Some(format) => format,
        None => detect::detect(name.as_deref(), &text).map_err(|error| malformed(&source, error))?,
    };
    let mut document = exchange::parse(format, &text).map_err(|error| malformed(&source, error))?;
    if format == Format::Compose && standing.is_some() {
        // Its name tells Compose's projects apart; the services are those of the worktree around it.
        document.rows.iter_mut().for_each(|row| row.project = None);
    }
    Ok((source, document))
}

fn bytes_in_bounds(bytes: Vec<u8>) -> Option<Vec<u8>> {
    (bytes.len() as u64 <= exchange::LARGEST).then_some(bytes)
}

fn malformed(source: &str, error: ParseError) -> Error {
    let line = error.line.map(|line| format!(", line {line}")).unwrap_or_default();
    Error { hints: error.hints, ..Error::usage(format!("{source}{line}: {}", error.message)) }
}

fn named(source: &str, error: Error) -> Error {
    if error.kind == ErrorKind::Usage {
        return Error { message: format!("{source}{}", error.message), ..error };
    }
    error
}

impl Prepared {
    fn plan(&self, rows: &mut dyn Rows, request: &ImportRequest) -> Result<ImportPlan> {
        let existing = rows.allocations(&Filter::default())?;
        let recorded_ranges = rows.ranges()?;
        let recorded_reservations = rows.reservations()?;
        let mut in_force = allocate::ranges(&self.settings, recorded_reservations.clone());
        for record in &self.document.ranges {
            // What comes along counts as if it had been there, but wins over nothing.
            match record.clone() {
                RangeRecord::Environment(name, ranges) => {
                    in_force.environments.entry(name).or_insert(ranges);
                }
                RangeRecord::Project(name, ranges) => {
                    in_force.projects.entry(name).or_insert(ranges);
                }
            }
        }
        let facts = ImportFacts {
            candidates: self.candidates.clone(),
            ranges: self.document.ranges.clone(),
            reservations: self.document.reservations.clone(),
            existing: &existing,
            recorded_ranges: &recorded_ranges,
            recorded_reservations: &recorded_reservations,
            in_force: &in_force,
            on_conflict: request.on_conflict,
            force: request.force || self.document.own,
        };
        let mut failure = None;
        let mut is_alive = |one: &Allocation| {
            let Some(token) = &one.worktree else { return false };
            match rows.worktree(token) {
                // What is not recorded cannot be looked for, and so is not known to be gone.
                Ok(record) => record.is_none_or(|record| !judge(observe::observe(&record)).is_gone()),
                Err(error) => {
                    failure = Some(error);
                    true
                }
            }
        };
        let plan = import::plan(facts, &mut is_alive, &allocate::describe);
        failure.map_or(Ok(plan), |error| Err(error.into()))
    }

    fn store(
        &self,
        ctx: &Facts,
        tx: &mut dyn Transaction,
        plan: &ImportPlan,
    ) -> Result<(), store::StoreError> {
        for (key, name) in &self.document.hosts {
            if tx.host_name(key)?.is_none() {
                tx.put_host(key, name)?;
            }
        }
        for record in &self.document.worktrees {
            if tx.worktree(&record.token)?.is_none() {
                tx.put_worktree(record)?;
            }
        }
        for one in &plan.replaced {
            cleanup::release(tx, one, ctx.now, &format!("gave way to an import from {}", self.source))?;
        }
        let mut tokens = BTreeSet::new();
        for candidate in plan.stored() {
            let one = &candidate.allocation;
            if let Some(record) = one.worktree.as_ref().and_then(|token| self.records.get(token))
                && tokens.insert(record.token.clone())
            {
                tx.put_host(&ctx.host.0, &ctx.host.1)?;
                tx.put_worktree(record)?;
            }
            tx.insert_allocation(one)?;
            if one.status.is_live() {
                let reason = format!("imported from {}", self.source);
                tx.append_event(&Event::of(one, EventKind::Allocated, ctx.now, reason))?;
            }
        }
        for record in &plan.ranges {
            tx.put_range(record)?;
            tx.append_event(&ctx.event(EventKind::RangeSet, None, &self.source))?;
        }
        for reservation in &plan.reservations {
            tx.put_reservation(reservation)?;
            let port = Some(reservation.range.start()).filter(|_| reservation.range.size() == 1);
            tx.append_event(&ctx.event(EventKind::Reserved, port, &reservation.range.to_string()))?;
        }
        Ok(())
    }
}

/// What stays the same however often the transaction runs.
struct Facts {
    now: jiff::Timestamp,
    host: (String, String),
}

impl Facts {
    fn event(&self, kind: EventKind, port: Option<Port>, reason: &str) -> Event {
        Event::of_nobody(&self.host.0, kind, self.now, port, reason)
    }
}

fn carry_out(ctx: &mut Context, prepared: &Prepared, request: &ImportRequest) -> Result<ImportPlan> {
    let facts = Facts { now: ctx.clock.now(), host: (ctx.host.key.clone(), ctx.host.name.clone()) };
    store::write(ctx.store()?, |tx| {
        let plan = prepared.plan(tx, request)?;
        if plan.is_clear() {
            prepared.store(&facts, tx, &plan)?;
        }
        Ok(plan)
    })
}
