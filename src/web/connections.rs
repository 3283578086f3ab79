//! Connections: how many there may be, and how long one may take to say what it wants. Whoever may not ask
//! anything is not to keep the page from those who may.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::App;

/// How long the head of a request may take, from the end of the one before.
const HEAD: Duration = Duration::from_secs(5);
/// How many connections there may be at once; the next wait to be accepted.
const AT_ONCE: usize = 256;
/// How long one waits where the system gives no connection, as for want of descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// Serves what comes, until the end; then until what is on its way has arrived.
pub(super) async fn accept(listener: TcpListener, routes: Router, app: Arc<App>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut open = JoinSet::new();
    loop {
        // What has ended is let go of.
        while open.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = app.hub.ended() => break,
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (listener.accept().await, place)
            } => accepted,
        };
        let (Ok((stream, _)), Ok(place)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let service = TowerToHyperService::new(routes.clone());
        let app = Arc::clone(&app);
        open.spawn(async move {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
            let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = app.hub.ended() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            // One who goes away in the middle is no trouble of ours.
            drop((served, place));
        });
    }
    while open.join_next().await.is_some() {}
}
