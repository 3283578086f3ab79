//! Do the services answer? Looks at many at once, and keeps a bounded history of each.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use super::list::{self, ListRequest, Listed};
use crate::config::Settings;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Allocation, HealthCheck, Port, Protocol};
use crate::store::{self, Filter, StoreError};
use crate::system::answer::{self, Answer};

/// How many looks at one allocation are kept.
const KEPT: u32 = 100;
/// How many services are asked at once.
const AT_ONCE: usize = 32;

/// Which services to ask, and how.
#[derive(Clone, Debug)]
pub struct HealthRequest {
    /// Which.
    pub list: ListRequest,
    /// How long each may take.
    pub patience: Duration,
    /// How many earlier looks to return.
    pub history: u32,
}

/// A service and how it does.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The allocation.
    pub listed: Listed,
    /// This look at it; none for what cannot be asked, such as UDP.
    pub check: Option<HealthCheck>,
    /// The looks before this one, newest first.
    pub history: Vec<HealthCheck>,
}

/// Asks the services whether they answer, all at once, and records it.
pub fn health(ctx: &mut Context, request: &HealthRequest) -> Result<Vec<Examined>> {
    let listed = list::list(ctx, &request.list)?;
    let settings = settings(ctx)?;
    let mut questions = Vec::new();
    for one in &listed {
        let allocation = &one.allocation;
        let here = allocation.host == ctx.host.key && allocation.status.is_live();
        if here && allocation.protocol == Protocol::Tcp {
            questions.push((allocation.clone(), path(&settings, allocation)?));
        }
    }
    let now = ctx.clock.now();
    let going_on = ctx.going_on(|| format!("asking {} services", questions.len()));
    let checks: Vec<HealthCheck> = ask_all(&questions, request.patience)
        .into_iter()
        .map(|(allocation, Answer { health, latency, detail })| HealthCheck {
            allocation,
            at: now,
            health,
            latency,
            detail,
        })
        .collect();
    drop(going_on);
    let mut examined = Vec::with_capacity(listed.len());
    for one in listed {
        let id = one.allocation.id;
        let history = store::read(ctx.store()?, |rows| rows.health_checks(id, request.history))?;
        let check = checks.iter().find(|check| check.allocation == id).cloned();
        examined.push(Examined { listed: one, check, history });
    }
    // Where nothing can be written, as in a sandbox, the answer still stands.
    let _ = record(ctx, &checks);
    Ok(examined)
}

/// Returns at most `limit` looks at the services on this port of this machine, newest first, without
/// asking them now.
pub fn recorded(ctx: &mut Context, port: Port, limit: u32) -> Result<Vec<Examined>> {
    let here = Filter { host: Some(ctx.host.key.clone()), port: Some(port), ..Filter::live() };
    let allocations = store::read(ctx.store()?, |rows| rows.allocations(&here))?;
    let listed = list::states(ctx, allocations)?;
    let with_history = |listed: Listed| {
        let id = listed.allocation.id;
        let history = store::read(ctx.store()?, |rows| rows.health_checks(id, limit))?;
        Ok(Examined { listed, check: None, history })
    };
    listed.into_iter().map(with_history).collect()
}

fn record(ctx: &mut Context, checks: &[HealthCheck]) -> Result<(), Error> {
    if checks.is_empty() {
        return Ok(());
    }
    store::write(ctx.store()?, |tx| -> Result<(), StoreError> {
        checks.iter().try_for_each(|check| tx.append_health_check(check, KEPT))
    })?;
    Ok(())
}

fn settings(ctx: &mut Context) -> Result<Settings> {
    let repo = ctx.find_repo()?;
    let top = repo.as_ref().and_then(|repo| repo.worktree.clone());
    ctx.settings(repo.as_ref(), top.as_deref())
}

/// Returns the path that a service's `health` setting asks for. Its host must be this machine and its
/// port the service's own: a committed file must not make anybody ask elsewhere.
fn path(settings: &Settings, allocation: &Allocation) -> Result<Option<String>> {
    let Some(url) = settings.service(&allocation.service).and_then(|service| service.health.clone()) else {
        return Ok(None);
    };
    let wrong = |why: &str| {
        Error::new(ErrorKind::Config, format!("bad setting 'services.{}.health': {why}", allocation.service))
            .hint("write a path, as in '/health', or 'http://localhost:{port}/health'")
    };
    if url.contains(|c: char| c.is_control() || c == ' ') {
        return Err(wrong("it is no URL"));
    }
    if url.starts_with('/') {
        return Ok(Some(url));
    }
    let rest = url.strip_prefix("http://").ok_or_else(|| wrong("only http:// can be asked"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "{port}"));
    if !matches!(name, "localhost" | "127.0.0.1" | "[::1]") {
        return Err(wrong("the host is not this machine"));
    }
    if port != "{port}" && port != format!("{{{}.port}}", allocation.service) {
        return Err(wrong("the port is not the service's own"));
    }
    Ok(Some(format!("/{path}")))
}

fn ask_all(questions: &[(Allocation, Option<String>)], patience: Duration) -> Vec<(i64, Answer)> {
    let next = Mutex::new(questions.iter());
    let answers = Mutex::new(Vec::with_capacity(questions.len()));
    thread::scope(|scope| {
        for _ in 0..questions.len().min(AT_ONCE) {
            scope.spawn(|| {
                loop {
                    let question = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((allocation, path)) = question else { break };
                    let answer = answer::ask(allocation.port, path.as_deref(), patience);
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push((allocation.id, answer));
                }
            });
        }
    });
    answers.into_inner().unwrap_or_else(PoisonError::into_inner)
}
