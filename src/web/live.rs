//! What is shown, and what changes in it: looked up by one thread for all pages that are open.
//!
//! The registry says with a number whether anybody has written; the machine, which says nothing, is
//! looked at from time to time. A page gets all of it when it comes, and from then on what changed. One
//! that does not keep up gets all of it again.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{broadcast, watch};

use super::App;
use super::call::Caller;
use crate::api::views::ErrorView;
use crate::api::views::dashboard::OverviewView;
use crate::context::Context;
use crate::error::Error;
use crate::ops::dashboard;

/// How often the registry is asked for its number.
const TICK: Duration = Duration::from_millis(150);
/// How often the machine is looked at, and how many times as long as a look takes one rests at least.
const MACHINE: Duration = Duration::from_secs(2);
const RESTS: u32 = 12;
/// Between two looks, however much is written.
const BREATH: Duration = Duration::from_millis(150);
/// How many changes a page may be behind before it gets all anew.
const BEHIND: usize = 32;
/// How long a page waits for the first look.
const PATIENCE: Duration = Duration::from_secs(20);

/// What every open page hangs on.
pub(super) struct Hub {
    shown: Mutex<Shown>,
    changes: broadcast::Sender<Bytes>,
    /// How many looks there were.
    looks: watch::Sender<u64>,
    ended: watch::Sender<bool>,
    /// Whether somebody wants a look now.
    wanted: Mutex<bool>,
    nudge: Condvar,
}

/// What was seen last.
#[derive(Default)]
struct Shown {
    /// The allocations, by the number of their row.
    rows: BTreeMap<i64, Value>,
    /// All the rest, by its name.
    rest: BTreeMap<String, Value>,
    trouble: Option<Bytes>,
    /// All of it, as it is sent; made when it is asked for.
    whole: Option<Bytes>,
}

/// What changed.
#[derive(Serialize)]
struct Change<'a> {
    /// The allocations that are new, or other than before.
    set: Vec<&'a Value>,
    /// The numbers of those that are gone.
    gone: Vec<i64>,
    /// What else is other than before.
    #[serde(flatten)]
    rest: BTreeMap<&'a str, &'a Value>,
}

impl Hub {
    pub(super) fn new() -> Self {
        Self {
            shown: Mutex::default(),
            changes: broadcast::Sender::new(BEHIND),
            looks: watch::Sender::new(0),
            ended: watch::Sender::new(false),
            wanted: Mutex::new(false),
            nudge: Condvar::new(),
        }
    }

    /// Has somebody look at once.
    pub(super) fn look(&self) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.nudge.notify_one();
    }

    /// Ends every stream, and the looking.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
        self.look();
    }

    /// Waits for the end.
    pub(super) async fn ended(&self) {
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next moment to ask. Returns whether somebody wants a look.
    fn wait(&self) -> bool {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = if self.changes.receiver_count() == 0 { MACHINE } else { TICK };
        let (mut wanted, _) = self
            .nudge
            .wait_timeout_while(wanted, pause, |wanted| !*wanted)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut wanted)
    }

    /// Shows what was seen, and tells every page what is other than before.
    fn show(&self, seen: Result<OverviewView, Error>) {
        let mut shown = self.shown();
        let message = match seen {
            Ok(view) => shown.take_on(view),
            Err(error) => {
                let trouble = event("trouble", &ErrorView::from(&error));
                let known = shown.trouble.replace(trouble.clone()).is_some_and(|known| known == trouble);
                (!known).then_some(trouble)
            }
        };
        // Under the lock, so that a page that comes now has it either in the whole or as a change. That
        // nobody listens is no failure.
        if let Some(message) = message {
            let _ = self.changes.send(message);
        }
        drop(shown);
        self.looks.send_modify(|looks| *looks += 1);
    }

    /// Returns all that was seen last, and what comes from now on.
    fn join(&self) -> (Bytes, broadcast::Receiver<Bytes>) {
        let mut shown = self.shown();
        (shown.whole(), self.changes.subscribe())
    }
}

impl Shown {
    /// Takes on what was seen. Returns the message about what is other than before.
    fn take_on(&mut self, view: OverviewView) -> Option<Bytes> {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(view) else { return None };
        let list = match fields.remove("allocations") {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        };
        let number = |row: &Value| row.get("id").and_then(Value::as_i64).unwrap_or_default();
        let rows: BTreeMap<i64, Value> = list.into_iter().map(|row| (number(&row), row)).collect();
        let rest: BTreeMap<String, Value> = fields.into_iter().collect();
        let first = self.rest.is_empty();
        let over = self.trouble.take().is_some();
        let set: Vec<&Value> =
            rows.iter().filter(|(id, row)| self.rows.get(id) != Some(row)).map(|(_, row)| row).collect();
        let gone: Vec<i64> = self.rows.keys().filter(|id| !rows.contains_key(id)).copied().collect();
        let other: BTreeMap<&str, &Value> = rest
            .iter()
            .filter(|(name, value)| self.rest.get(*name) != Some(value))
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        // That time has passed is told, too: a page knows by it that it is not forgotten.
        let message = event("change", &Change { set, gone, rest: other });
        self.rows = rows;
        self.rest = rest;
        self.whole = None;
        Some(if first || over { self.whole() } else { message })
    }

    fn whole(&mut self) -> Bytes {
        if let Some(trouble) = &self.trouble {
            return trouble.clone();
        }
        if self.rest.is_empty() {
            return Bytes::from_static(b": nothing was seen yet\n\n");
        }
        if let Some(whole) = &self.whole {
            return whole.clone();
        }
        let rest = self.rest.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let whole = event("state", &Change { set: self.rows.values().collect(), gone: Vec::new(), rest });
        self.whole.insert(whole).clone()
    }
}

/// Returns a message of the stream. JSON has no line breaks, so it is one line.
fn event(name: &str, data: &impl Serialize) -> Bytes {
    let json = serde_json::to_string(data).unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {json}\n\n"))
}

/// Looks, and shows what was seen, until the end.
pub(super) fn watch(hub: &Hub, caller: &Caller) {
    let mut eye: Option<Context> = None;
    let mut known = None;
    let mut since: Option<Instant> = None;
    let mut took = Duration::ZERO;
    loop {
        let mut due = hub.wait();
        if *hub.ended.borrow() {
            return;
        }
        if hub.changes.receiver_count() == 0 && !due {
            continue;
        }
        // Before the look, so that what is written meanwhile is looked at again.
        let stamp = dashboard::stamp(eye.get_or_insert_with(|| caller.context()));
        let passed = since.map(|since| since.elapsed());
        due |= stamp.is_some() && stamp != known;
        due |= passed.is_none_or(|passed| passed >= MACHINE.max(took * RESTS));
        if !due {
            continue;
        }
        if let Some(rest) = BREATH.max(took).checked_sub(passed.unwrap_or(BREATH.max(took))) {
            std::thread::sleep(rest);
        }
        let started = Instant::now();
        let (seen, notes) = caller.call(super::look);
        if seen.is_err() || !notes.is_empty() {
            // It may be another registry by now, whose numbers say nothing about this one's.
            eye = None;
        }
        took = started.elapsed();
        known = stamp.filter(|_| eye.is_some());
        since = Some(Instant::now());
        hub.show(seen);
    }
}

/// The stream of a page: all, then what changes, to the end of the one or the other.
pub(super) async fn stream(State(app): State<Arc<App>>) -> Response {
    let mut looks = app.hub.looks.subscribe();
    // Whoever looked while nobody watched has seen what was then.
    if app.hub.changes.receiver_count() == 0 {
        let before = *looks.borrow_and_update();
        app.hub.look();
        let _ = tokio::time::timeout(PATIENCE, looks.wait_for(|looks| *looks > before)).await;
    }
    let (whole, changes) = app.hub.join();
    let ended = app.hub.ended.subscribe();
    let messages = stream::unfold((Some(whole), changes, ended, app), next);
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(messages)).into_response()
}

type Following = (Option<Bytes>, broadcast::Receiver<Bytes>, watch::Receiver<bool>, Arc<App>);

async fn next(
    (first, mut changes, mut ended, app): Following,
) -> Option<(Result<Bytes, Infallible>, Following)> {
    if let Some(first) = first {
        return Some((Ok(first), (None, changes, ended, app)));
    }
    let message = tokio::select! {
        _ = ended.wait_for(|ended| *ended) => return None,
        message = changes.recv() => message,
    };
    match message {
        Ok(message) => Some((Ok(message), (None, changes, ended, app))),
        Err(broadcast::error::RecvError::Closed) => None,
        Err(broadcast::error::RecvError::Lagged(_)) => {
            let (whole, changes) = app.hub.join();
            Some((Ok(whole), (None, changes, ended, app)))
        }
    }
}
