//! The dashboard: one page of this machine, its JSON, and a stream of what changes.
//!
//! The routes parse a request, call one operation, and hand the outcome on. What is shown is looked up by
//! one pair of eyes (`live`), however many pages are open. Who may ask is decided in one place
//! (`guard`), before any route is.

mod assets;
mod call;
mod change;
mod connections;
mod guard;
mod live;
mod plain;
mod read;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::api::views::dashboard::OverviewView;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::ops::dashboard::{self, Home, Loopback};

use call::Caller;
use guard::Guard;
use live::Hub;

/// The largest body of a request.
const LARGEST: usize = 64 * 1024;
/// How long answers that are on their way may take when the server is to end.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long one waits for another who has just begun to listen, and is about to say so.
const MOVING_IN: Duration = Duration::from_secs(5);

/// What every route has at hand.
struct App {
    guard: Guard,
    caller: Caller,
    hub: Hub,
}

/// A dashboard.
pub enum Dashboard {
    /// Another process serves it already: its number.
    Running(u32),
    /// This process is to serve it.
    Ours(Box<Server>),
}

/// A dashboard that is about to be served.
pub struct Server {
    app: Arc<App>,
    home: Home,
    listeners: Loopback,
}

/// Returns the dashboard of this registry, and where it is: the one that runs, or else a new one, which
/// listens already.
pub fn dashboard(ctx: &mut Context) -> Result<(Home, Dashboard)> {
    let port = dashboard::claim(ctx)?.port;
    let home = Home::of(ctx, port);
    let started = Instant::now();
    loop {
        if let Some(listeners) = home.listen()? {
            let token = home.enter(ctx)?;
            let caller = Caller::new(ctx);
            let app = App { guard: Guard::new(home.clone(), token), caller, hub: Hub::new() };
            let server = Server { app: Arc::new(app), home: home.clone(), listeners };
            return Ok((home, Dashboard::Ours(Box::new(server))));
        }
        if let Some(pid) = home.find_running(ctx)? {
            return Ok((home, Dashboard::Running(pid)));
        }
        if started.elapsed() > MOVING_IN {
            return Err(dashboard::taken(home.port));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

impl Server {
    /// Serves until a signal asks it to end.
    pub fn serve(self) -> Result<()> {
        let Self { app, home, listeners } = self;
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Internal, format!("the dashboard cannot be served: {error}"))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let eyes = {
            let app = Arc::clone(&app);
            thread::spawn(move || live::watch(&app.hub, &app.caller))
        };
        let served = runtime.block_on(async {
            let mut doors = tokio::task::JoinSet::new();
            for listener in listeners {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                doors.spawn(connections::accept(listener, routes(&app), Arc::clone(&app)));
            }
            let stopped = stop().await;
            // An open stream would keep its connection from ending.
            app.hub.end();
            let _ = tokio::time::timeout(FAREWELL, doors.join_all()).await;
            stopped
        });
        app.hub.end();
        let _ = eyes.join();
        home.leave();
        runtime.shutdown_timeout(FAREWELL);
        served.map_err(failed)
    }
}

/// Looks at all that is shown at a glance.
fn look(ctx: &mut Context) -> Result<OverviewView> {
    let overview = dashboard::overview(ctx)?;
    Ok(OverviewView::new(&overview, ctx.clock.now(), &ctx.host.name, ctx.user.as_deref()))
}

/// Waits for a signal that asks to end.
#[cfg(unix)]
async fn stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Waits for a signal that asks to end.
#[cfg(not(unix))]
async fn stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

fn routes(app: &Arc<App>) -> Router {
    let api = Router::new()
        .route("/overview", get(read::overview))
        .route("/allocations", get(read::allocations))
        .route("/stats", get(read::stats))
        .route("/ranges", get(read::ranges))
        .route("/audit", get(read::audit))
        .route("/history", get(read::history))
        .route("/check", get(read::check))
        .route("/health", get(read::health).post(change::health))
        .route("/cleanup", get(read::cleanup).post(change::cleanup))
        .route("/allocate", post(change::allocate))
        .route("/release", post(change::release))
        .route("/undo", post(change::undo))
        .route("/update", post(change::update))
        .route("/live", get(live::stream));
    Router::new()
        .nest("/api", api)
        .route("/", get(plain::page))
        .route("/session", post(guard::enter))
        .route("/{file}", get(assets::file))
        .fallback(read::nothing)
        .method_not_allowed_fallback(read::not_so)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(app), guard::admit))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(Arc::clone(app))
}
