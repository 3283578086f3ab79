//! Runs a program on its ports: verified before the start, watched until it listens, recorded while it
//! runs.

use std::collections::HashSet;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::allocate::describe;
use super::env::{self, GetRequest};
use super::standing::{self, Standing};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Allocation, EnvironmentName, Port, RunRecord, ServiceName, State, Status};
use crate::store::{self, Filter, StoreError};
use crate::system::child::Foreground;
use crate::system::command::exit_code;
use crate::system::listeners::{Listener, listeners, owners};
use crate::system::process::{self, ProcessId};
use crate::system::{SystemError, browser, files};
use crate::template::server_flags;

/// How long a server gets to listen before one stops looking: a cold start of a large one takes a while.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a server that listens elsewhere gets to listen on its port, too.
const DRIFT: Duration = Duration::from_secs(3);
/// Where servers listen beside their own port, often long before it: Node's inspector, Vite's reload,
/// `LiveReload`.
const SIDE_PORTS: &[RangeInclusive<u16>] = &[9229..=9239, 24678..=24678, 35729..=35729];

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct RunRequest {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The service it is; the primary one if none is named. `PORT` is its port.
    pub service: Option<ServiceName>,
    /// The environment of the ports.
    pub environment: Option<EnvironmentName>,
    /// Add the flags that a known server needs.
    pub flags: bool,
    /// Open the browser when it listens.
    pub open: bool,
    /// Which conversation or agent asks.
    pub session: Option<String>,
}

/// Something worth telling while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The command as it is started, with flags that were added.
    Flags(String),
    /// It listens on its port, at this URL.
    Listening(Port, Option<String>),
    /// It listens elsewhere.
    Drift {
        /// The port it was given.
        port: Port,
        /// Where it listens instead.
        elsewhere: Vec<Port>,
    },
    /// It runs, but something about its record or its page went wrong.
    Trouble(String),
}

/// Runs the program to its end, and returns its exit status as a shell counts it.
pub fn run(ctx: &mut Context, request: &RunRequest, tell: impl FnMut(Noted) + Send + 'static) -> Result<u8> {
    let mut tell = tell;
    let standing = Standing::here(ctx)?;
    let environment = standing::environment(&standing.settings, request.environment.as_ref())?;
    let target = env::get(
        ctx,
        &GetRequest {
            project: None,
            service: request.service.clone(),
            environment: Some(environment.clone()),
            allocate: true,
            session: request.session.clone(),
        },
    )?;
    ctx.take_notes().into_iter().for_each(|notice| tell(Noted::Trouble(notice)));
    // Tidying is no condition for running.
    let _ = settle(ctx);
    verify(ctx, &target)?;
    let environmental = env::env(ctx, Some(&environment), true)?;
    let mut variables: Vec<(String, String)> =
        environmental.variables.into_iter().map(|variable| (variable.name, variable.value)).collect();
    // Under `--service` PORT is that service's.
    variables.retain(|(name, _)| name != "PORT");
    variables.push(("PORT".to_owned(), target.port.to_string()));
    let command = if request.flags {
        with_flags(&standing, request, &target, &mut tell)
    } else {
        request.command.clone()
    };
    // Looked at before it starts, for a small server listens within milliseconds.
    let known = listeners().listeners.iter().map(|listener| listener.inode).collect();
    let child = Foreground::start(&command, &variables).map_err(as_a_shell)?;
    let recorded = record(ctx, &target, &child, &command);
    if let Err(error) = &recorded {
        tell(Noted::Trouble(format!("it runs, but that is not recorded: {error}")));
    }
    let ended = Arc::new(AtomicBool::new(false));
    let pid = child.pid();
    let own: HashSet<Port> = environmental.allocations.iter().map(|allocation| allocation.port).collect();
    let lookout =
        Lookout { pid, target: target.clone(), own, known, open: request.open, ended: Arc::clone(&ended) };
    let thread = thread::spawn(move || lookout.watch(&mut tell));
    let status = child.wait();
    ended.store(true, Ordering::Relaxed);
    thread.thread().unpark();
    let _ = thread.join();
    if recorded.is_ok() {
        let _ = forget(ctx, &target, pid);
    }
    let status = status
        .map_err(|error| Error::new(ErrorKind::Internal, format!("cannot wait for the program: {error}")))?;
    Ok(exit_code(status))
}

/// A program that is not there, or may not be run, ends as a shell would end it.
fn as_a_shell(error: SystemError) -> Error {
    let status = match error.io_kind() {
        Some(std::io::ErrorKind::NotFound) => 127,
        _ => 126,
    };
    Error { git_status: Some(status), ..Error::from(error) }
}

/// Refuses to start a program on a port that somebody else's process has.
fn verify(ctx: &mut Context, target: &Allocation) -> Result<()> {
    // Where the registry cannot be asked whose process it is, as in a sandbox, the port comes from the
    // worktree's own copy, and the program finds out by itself whether it is taken.
    let Ok(seen) = super::machine::look(ctx, std::slice::from_ref(target)) else { return Ok(()) };
    let Some(seen) = seen.first() else { return Ok(()) };
    // A process of this very worktree may be what the program is to talk to: a test run beside the server.
    if seen.in_use != Some(true) || !matches!(seen.state, State::Foreign | State::Unknown) {
        return Ok(());
    }
    let by = seen.process.as_ref().map_or_else(
        || "another process".to_owned(),
        |process| format!("'{}' (pid {})", process.name, process.id.pid),
    );
    Err(Error::new(
        ErrorKind::Conflict,
        format!("port {} of {} is in use by {by}", target.port, describe(target)),
    )
    .hint(format!("stop that process, or move to another port: git port allocate {} --new", target.service)))
}

fn with_flags(
    standing: &Standing,
    request: &RunRequest,
    target: &Allocation,
    tell: &mut impl FnMut(Noted),
) -> Vec<OsString> {
    let words: Vec<String> = request.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // A package manager reads the nearest package.json, which is that of the folder one stands in.
    let read = |name: &str| {
        let here = files::load_text(std::path::Path::new(name)).ok().flatten();
        here.or_else(|| files::load_text(&standing.worktree.path.join(name)).ok().flatten())
    };
    let Some(missing) = server_flags::missing(&words, &read) else { return request.command.clone() };
    let added = server_flags::with_port(&missing, target.port);
    tell(Noted::Flags(format!("{} {}", words.join(" "), added.join(" "))));
    request.command.iter().cloned().chain(added.into_iter().map(OsString::from)).collect()
}

fn record(ctx: &mut Context, target: &Allocation, child: &Foreground, command: &[OsString]) -> Result<()> {
    let Some(process) = process::find(child.pid()) else { return Ok(()) };
    let ProcessId { pid, started, boot } = process.id;
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let now = ctx.clock.now();
    let host = ctx.host.key.clone();
    let run =
        RunRecord { allocation: target.id, host, pid, started, boot, command: words.join(" "), at: now };
    store::write(ctx.store()?, |tx| -> Result<(), StoreError> {
        // A test run beside the server is not what the port is for; the server is.
        let others = tx.runs(&run.host)?;
        let server = others.iter().find(|other| other.allocation == run.allocation);
        if !server.is_some_and(|server| process::is_alive(&identity(server))) {
            tx.put_run(&run)?;
        }
        if let Some(allocation) = current(tx, target)? {
            tx.update_allocation(&Allocation {
                status: Status::Active,
                last_used_at: Some(now),
                ..allocation
            })?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Returns the identity of the process that was recorded.
pub fn identity(run: &RunRecord) -> ProcessId {
    ProcessId { pid: run.pid, started: run.started, boot: run.boot.clone() }
}

/// Puts right what a killed `run` left behind.
pub(super) fn settle(ctx: &mut Context) -> Result<()> {
    let host = ctx.host.key.clone();
    let dead = |runs: Vec<RunRecord>| -> Vec<RunRecord> {
        runs.into_iter().filter(|run| !process::is_alive(&identity(run))).collect()
    };
    if dead(store::read(ctx.store()?, |rows| rows.runs(&host))?).is_empty() {
        return Ok(());
    }
    let live = Filter { host: Some(host.clone()), ..Filter::live() };
    store::write(ctx.store()?, |tx| -> Result<(), StoreError> {
        let allocations = tx.allocations(&live)?;
        for run in dead(tx.runs(&host)?) {
            tx.delete_run(run.allocation)?;
            if let Some(allocation) = allocations.iter().find(|allocation| allocation.id == run.allocation) {
                tx.update_allocation(&Allocation { status: Status::Allocated, ..allocation.clone() })?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

fn forget(ctx: &mut Context, target: &Allocation, pid: u32) -> Result<()> {
    store::write(ctx.store()?, |tx| -> Result<(), StoreError> {
        let runs = tx.runs(&target.host)?;
        if !runs.iter().any(|run| run.allocation == target.id && run.pid == pid) {
            return Ok(());
        }
        tx.delete_run(target.id)?;
        if let Some(allocation) = current(tx, target)? {
            tx.update_allocation(&Allocation { status: Status::Allocated, ..allocation })?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The allocation as it is now: it may have been updated, moved or released meanwhile.
fn current(tx: &mut dyn store::Transaction, target: &Allocation) -> Result<Option<Allocation>, StoreError> {
    let filter = Filter {
        host: Some(target.host.clone()),
        protocol: Some(target.protocol),
        port: Some(target.port),
        ..Filter::live()
    };
    Ok(tx.allocations(&filter)?.into_iter().find(|allocation| allocation.id == target.id))
}

/// Says whether servers listen there beside their own port.
pub(super) fn is_side_port(port: Port) -> bool {
    SIDE_PORTS.iter().any(|range| range.contains(&port.number()))
}

/// Looks where the program listens.
struct Lookout {
    pid: u32,
    target: Allocation,
    own: HashSet<Port>,
    /// The listeners that were there before it.
    known: HashSet<u64>,
    open: bool,
    ended: Arc<AtomicBool>,
}

impl Lookout {
    fn watch(&self, tell: &mut impl FnMut(Noted)) {
        let since = Instant::now();
        let mut elsewhere_since = None;
        let mut warned = false;
        let mut pause = Duration::from_millis(50);
        while !self.ended.load(Ordering::Relaxed) && since.elapsed() < PATIENCE {
            let seen = listeners();
            if !seen.visible {
                return;
            }
            let new: Vec<Listener> =
                seen.listeners.into_iter().filter(|one| !self.known.contains(&one.inode)).collect();
            let ours = self.ports_of_descendants(&new);
            if ours.contains(&self.target.port) {
                self.listens(tell);
                return;
            }
            let elsewhere: Vec<Port> = ours.into_iter().filter(|port| self.is_elsewhere(*port)).collect();
            if elsewhere.is_empty() {
                elsewhere_since = None;
            } else if !warned && elsewhere_since.get_or_insert_with(Instant::now).elapsed() >= DRIFT {
                // It may come to listen on its port all the same, and have its page opened.
                tell(Noted::Drift { port: self.target.port, elsewhere });
                warned = true;
            }
            thread::park_timeout(pause);
            pause = (pause * 2).min(Duration::from_millis(400));
        }
    }

    fn is_elsewhere(&self, port: Port) -> bool {
        !self.own.contains(&port) && !is_side_port(port)
    }

    fn ports_of_descendants(&self, new: &[Listener]) -> Vec<Port> {
        let candidates: Vec<Listener> =
            new.iter().filter(|one| one.protocol == self.target.protocol).cloned().collect();
        if candidates.is_empty() {
            return Vec::new();
        }
        let owners = owners(&candidates);
        let descends = |listener: &&Listener| {
            owners.get(&listener.inode).is_some_and(|holders| {
                holders.iter().any(|holder| process::descends_from(holder.id.pid, self.pid))
            })
        };
        let mut ports: Vec<Port> = candidates.iter().filter(descends).map(|listener| listener.port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    fn listens(&self, tell: &mut impl FnMut(Noted)) {
        let url = self.target.url();
        tell(Noted::Listening(self.target.port, url.clone()));
        if let Some(url) = url.filter(|_| self.open)
            && let Err(error) = browser::open(&url)
        {
            tell(Noted::Trouble(format!("cannot open {url}: {error}")));
        }
    }
}
