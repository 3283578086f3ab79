//! Calls an operation from the server: on a thread of its own, with a context of its own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::json;
use crate::api::views::{ErrorView, Versioned};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::ops::recovery::{self, Recovered};

/// Calls operations.
#[derive(Clone)]
pub(super) struct Caller {
    pattern: Arc<Mutex<Context>>,
}

impl Caller {
    /// Returns a caller whose contexts are like this one. They stand where no repository is: the server
    /// outlives the folder it was started in.
    pub(super) fn new(ctx: &Context) -> Self {
        Self { pattern: Arc::new(Mutex::new(ctx.standing_in(Some("/".into())))) }
    }

    /// Returns a new context.
    pub(super) fn context(&self) -> Context {
        let pattern = self.pattern.lock().unwrap_or_else(PoisonError::into_inner);
        pattern.standing_in(pattern.folder().map(Path::to_owned))
    }

    /// Calls an operation on this thread, as every command is called: the registry is attended to before
    /// and after. Returns what was done about it, too.
    pub(super) fn call<T>(
        &self,
        mut work: impl FnMut(&mut Context) -> Result<T>,
    ) -> (Result<T>, Vec<String>) {
        let mut notes = Vec::new();
        let mut tell = |recovered: &Recovered| notes.extend(recovered.messages.iter().cloned());
        let answer = recovery::attended(&mut self.context(), &mut tell, &mut work);
        (answer, notes)
    }

    /// Calls an operation on a thread where it may wait, and returns its outcome as an answer.
    pub(super) async fn answer<T, F>(&self, work: F) -> Response
    where
        T: Serialize + Send + 'static,
        F: FnMut(&mut Context) -> Result<T> + Send + 'static,
    {
        let caller = self.clone();
        match tokio::task::spawn_blocking(move || caller.call(work).0).await {
            Ok(Ok(view)) => object(StatusCode::OK, view),
            Ok(Err(error)) => refusal(&error),
            Err(_) => refusal(&Error::new(ErrorKind::Internal, "the operation came to a sudden end")),
        }
    }
}

/// Returns an object as an answer.
pub(super) fn object(status: StatusCode, view: impl Serialize) -> Response {
    let json = json::render(&Versioned::new(view));
    (status, [(header::CONTENT_TYPE, "application/json")], json).into_response()
}

/// Returns an error as an answer.
pub(super) fn refusal(error: &Error) -> Response {
    let status = StatusCode::from_u16(error.kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    refused(status, error)
}

/// Returns an error as an answer with a status of its own.
pub(super) fn refused(status: StatusCode, error: &Error) -> Response {
    object(status, ErrorView::from(error))
}

/// Reads the object of a request.
pub(super) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| Error::usage(format!("the request is no object: {error}")))
}
