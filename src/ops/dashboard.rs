//! What the dashboard shows, and where it is: its own port, the files by which one who may come in is
//! known, and who runs it.
//!
//! Whoever can read the user's files may come in, and nobody else. A program shows the token; a browser
//! shows an invitation that serves once, so that what stands in its address bar, in its history or in a
//! terminal is worth nothing afterwards.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::allocate::{self, AllocateRequest, ServiceRequest};
use super::list::{self, ListRequest, Listed};
use super::machine::Machine;
use super::range::{self, RangesInForce};
use super::stats::{self, RangeStats};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Allocation, EnvironmentName, Event, Port, ProjectName, Protocol, ServiceName};
use crate::store;
use crate::system::files::{self, Access};
use crate::system::process::{self, ProcessId};
use crate::system::{SystemError, browser, listen, random_bytes};

pub use crate::system::listen::Loopback;

/// Whose the dashboard's own port is in the registry.
const PROJECT: &str = "git-port";
const SERVICE: &str = "dashboard";

/// How long an invitation holds.
const INVITED_FOR: Duration = Duration::from_mins(10);
/// How long the name of an invitation is, and how long its secret: hexadecimal digits.
const NAME: usize = 16;
const SECRET: usize = 64;

/// How many events are shown.
const EVENTS: u32 = 50;

/// All that is shown at a glance.
#[derive(Clone, Debug)]
pub struct Overview {
    /// All live allocations.
    pub listed: Vec<Listed>,
    /// How full the ranges are.
    pub stats: Vec<RangeStats>,
    /// The ranges and reservations in force.
    pub ranges: RangesInForce,
    /// What happened last, newest first.
    pub events: Vec<Event>,
}

/// Returns all that is shown at a glance, after one look at registry and machine.
pub fn overview(ctx: &mut Context) -> Result<Overview> {
    let listed = list::list(ctx, &ListRequest { all: true, ..ListRequest::default() })?;
    let settings = ctx.settings(None, None)?;
    let (reservations, events) = store::read(ctx.store()?, |rows| -> Result<_, store::StoreError> {
        Ok((rows.reservations()?, rows.events(None, EVENTS)?))
    })?;
    let here: Vec<Listed> =
        listed.iter().filter(|one| one.allocation.host == ctx.host.key).cloned().collect();
    let stats = stats::all(&allocate::ranges(&settings, reservations.clone()), &here);
    Ok(Overview { listed, stats, ranges: range::in_force(&settings, reservations), events })
}

/// Returns a number that is another one after whoever has written to the registry; none where it can only
/// be read.
pub fn stamp(ctx: &mut Context) -> Option<u64> {
    ctx.store().ok()?.stamp()
}

/// Returns the dashboard's own port, allocating it if there is none: the last of the first range, out of
/// the way of worktrees.
pub fn claim(ctx: &mut Context) -> Result<Allocation> {
    let settings = ctx.settings(None, None)?;
    let dev = settings.ranges.get(&EnvironmentName::dev());
    let prefer = dev.and_then(|ranges| ranges.first()).map(|range| range.end());
    let service: ServiceName = SERVICE.parse()?;
    let request = AllocateRequest {
        services: vec![ServiceRequest { service, exactly: None, prefer }],
        project: Some(PROJECT.parse::<ProjectName>()?),
        protocol: Some(Protocol::Tcp),
        description: Some("the page of git port dashboard".to_owned()),
        ..AllocateRequest::default()
    };
    let mut allocated = allocate::allocate(ctx, request)?;
    let placed = allocated.placed.pop();
    placed
        .map(|placed| placed.allocation)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "the dashboard got no port"))
}

/// A dashboard that runs, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    pid: u32,
    started: u64,
    boot: String,
    registry: String,
}

/// Where a dashboard keeps what it needs, in a folder that only its user may enter.
#[derive(Clone, Debug)]
pub struct Home {
    /// The port it listens on.
    pub port: Port,
    folder: PathBuf,
}

impl Home {
    /// Returns the home of the dashboard on this port.
    pub fn of(ctx: &Context, port: Port) -> Self {
        Self { port, folder: ctx.dirs.state.join(format!("dashboard-{port}")) }
    }

    /// Returns the file with the token that a program shows.
    pub fn token_file(&self) -> PathBuf {
        self.folder.join("token")
    }

    fn record_file(&self) -> PathBuf {
        self.folder.join("server.json")
    }

    /// Returns the URL, without any secret.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Listens on the port, on this machine's own addresses; none if somebody does.
    pub fn listen(&self) -> Result<Option<Loopback>> {
        match listen::loopback(self.port) {
            Err(error) if error.io_kind() == Some(std::io::ErrorKind::AddrInUse) => Ok(None),
            listeners => Ok(Some(listeners?)),
        }
    }

    /// Moves in, for this process listens on the port: what was left by one before is worth nothing any
    /// more. Returns the new token.
    pub fn enter(&self, ctx: &mut Context) -> Result<String> {
        let here = process::find(std::process::id())
            .ok_or_else(|| Error::new(ErrorKind::Internal, "this process cannot be found"))?;
        let registry = ctx.store()?.location();
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if !files::is_absent(&error) => {
                return Err(SystemError::file("remove", &self.folder)(error).into());
            }
            _ => files::create_private_dir(&self.folder)?,
        }
        let token = secret()?;
        files::replace(&self.token_file(), token.as_bytes(), Access::Private)?;
        let ProcessId { pid, started, boot } = here.id;
        let record = serde_json::to_vec(&Record { pid, started, boot, registry }).unwrap_or_default();
        files::replace(&self.record_file(), &record, Access::Private)?;
        Ok(token)
    }

    /// Moves out.
    pub fn leave(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    /// Returns the process that serves this very registry here; none if nobody does.
    pub fn find_running(&self, ctx: &mut Context) -> Result<Option<u32>> {
        let text = files::load_text(&self.record_file())?.unwrap_or_default();
        let Ok(record) = serde_json::from_str::<Record>(&text) else { return Ok(None) };
        let id = ProcessId { pid: record.pid, started: record.started, boot: record.boot };
        if !process::is_alive(&id) || record.registry != ctx.store()?.location() {
            return Ok(None);
        }
        // That it lives is not enough: the invitation must not be shown to whoever listens instead.
        let machine = Machine::look([(self.port, Protocol::Tcp)]);
        let listens = machine.processes(self.port, Protocol::Tcp).iter().any(|one| one.id == id);
        Ok(listens.then_some(id.pid))
    }

    /// Returns a URL that lets one browser in, once and soon.
    pub fn invite(&self) -> Result<String> {
        let code = secret()? + &secret()?[..NAME];
        let (name, secret) = code.split_at(NAME);
        files::replace(&self.invitation(name), secret.as_bytes(), Access::Private)?;
        Ok(format!("{}#{code}", self.url()))
    }

    fn invitation(&self, name: &str) -> PathBuf {
        self.folder.join(format!("invitation-{name}"))
    }

    /// Says whether this code lets one in, which it does once. Not to be asked by two at a time.
    pub fn redeem(&self, code: &str) -> bool {
        let hexadecimal = code.bytes().all(|byte| byte.is_ascii_hexdigit());
        if code.len() != NAME + SECRET || !hexadecimal {
            return false;
        }
        let (name, secret) = code.split_at(NAME);
        let path = self.invitation(name);
        let Ok(Some(wanted)) = files::load_text(&path) else { return false };
        is_same(&wanted, secret)
            && files::age(&path).is_none_or(|age| age < INVITED_FOR)
            && files::remove(&path).is_ok()
    }

    /// Opens a URL in the user's browser. Other users read the arguments of every program, so it goes
    /// by way of a file that only this user may read.
    pub fn open(&self, url: &str) -> Result<()> {
        let page = self.folder.join("open.html");
        let text = format!(
            "<!doctype html><meta charset=utf-8><title>git-port</title>\
             <meta http-equiv=refresh content=\"0;url={url}\"><a href=\"{url}\">git-port</a>\n"
        );
        files::replace(&page, text.as_bytes(), Access::Private)?;
        Ok(browser::open(&page.to_string_lossy())?)
    }
}

/// Returns a new secret of 256 bits.
pub fn secret() -> Result<String, SystemError> {
    let half = || Ok(format!("{:032x}", u128::from_be_bytes(random_bytes()?)));
    Ok(half()? + &half()?)
}

/// Compares secrets in a time that tells nothing about where they differ.
pub fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one.bytes().zip(other.bytes()).fold(0, |differing, (one, other)| differing | (one ^ other)) == 0
}

/// Returns the error of a port that somebody else has.
pub fn taken(port: Port) -> Error {
    Error::new(ErrorKind::Conflict, format!("the dashboard's port {port} is in use by another process"))
        .hint(format!("see which: git port check {port}"))
        .hint(format!("or move to another port: git port allocate {SERVICE} --project {PROJECT} --new"))
}
