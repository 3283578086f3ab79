//! Who may ask. Everything passes here, files and streams too.
//!
//! Other users of this machine reach its loopback, and so does every page in the user's browser: by a
//! plain request, by a form, or under a name of its own that suddenly leads here. So the host must be one
//! of three names with our port, the origin none or the very same, and whoever asks must show something
//! that only this user has: the token from a private file, or what a browser got for an invitation.
//!
//! A browser gets two things, for cookies do not keep ports apart: the cookie is shown to every server on
//! this address, so it alone opens nothing but the page's own files. The key that goes with it is kept
//! where only this very origin finds it. Without JavaScript there is no such place, so a browser without
//! gets a cookie that shows the plain page, and nothing else.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::call::{object, parse, refused};
use super::{App, assets, plain};
use crate::error::{Error, ErrorKind, Result};
use crate::ops::dashboard::{self, Home};

/// The header with a page's key.
const KEY: &str = "x-git-port-key";
/// How many browsers are remembered; the one that came first is forgotten first.
const SESSIONS: usize = 64;

/// What is allowed to the page: nothing from elsewhere, nothing inline, no text that becomes a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// What every answer carries. The referrer goes to ourselves alone; with none at all, a browser would say
/// that the form comes from nowhere.
const ALWAYS: [(header::HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// What is needed to tell who may ask.
pub(super) struct Guard {
    home: Home,
    token: String,
    sessions: Mutex<Vec<Session>>,
}

/// A browser that was let in.
struct Session {
    cookie: String,
    /// None for a browser without JavaScript.
    key: Option<String>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Nobody that is known.
    Stranger,
    /// A browser without JavaScript.
    Reader,
    /// A browser that has not shown its key: it fetches the page.
    Browser,
    /// The page itself, or a program with the token.
    Insider,
}

impl Guard {
    pub(super) fn new(home: Home, token: String) -> Self {
        Self { home, token, sessions: Mutex::new(Vec::new()) }
    }

    /// Fails with the answer to give, unless host and origin are ours.
    fn check_origin(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let port = self.home.port;
        let names = [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")];
        let host = only(headers, &header::HOST).flatten();
        let Some(host) = host.filter(|host| names.iter().any(|name| name == host)) else {
            return Err((StatusCode::MISDIRECTED_REQUEST, "the host is not this dashboard"));
        };
        if uri.authority().is_some_and(|authority| authority.as_str() != host) {
            return Err((StatusCode::MISDIRECTED_REQUEST, "the host is not this dashboard"));
        }
        let foreign = (StatusCode::FORBIDDEN, "the request comes from another page");
        match only(headers, &header::ORIGIN) {
            Some(None) => {}
            Some(Some(origin)) if origin.strip_prefix("http://") == Some(host) => {}
            _ => return Err(foreign),
        }
        let word = |name: &'static str| only(headers, &header::HeaderName::from_static(name)).flatten();
        match only(headers, &header::HeaderName::from_static("sec-fetch-site")) {
            Some(None | Some("same-origin" | "none")) => Ok(()),
            // Somebody follows a link to here, as from the file that opens the browser.
            Some(_)
                if method == Method::GET
                    && uri.path() == "/"
                    && word("sec-fetch-mode") == Some("navigate")
                    && word("sec-fetch-dest") == Some("document") =>
            {
                Ok(())
            }
            _ => Err(foreign),
        }
    }

    fn who(&self, headers: &HeaderMap) -> Who {
        let bearer =
            only(headers, &header::AUTHORIZATION).flatten().and_then(|text| text.strip_prefix("Bearer "));
        if bearer.is_some_and(|token| dashboard::is_same(token, &self.token)) {
            return Who::Insider;
        }
        let name = self.cookie_name();
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookie = cookies
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(cookie, _)| *cookie == name)
            .map(|(_, value)| value);
        let Some(cookie) = cookie else { return Who::Stranger };
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(session) = sessions.iter().find(|session| dashboard::is_same(&session.cookie, cookie))
        else {
            return Who::Stranger;
        };
        let shown = only(headers, &header::HeaderName::from_static(KEY)).flatten();
        match (&session.key, shown) {
            (None, _) => Who::Reader,
            (Some(key), Some(shown)) if dashboard::is_same(key, shown) => Who::Insider,
            (Some(_), _) => Who::Browser,
        }
    }

    /// The port is in the name, or the dashboards of two registries would drive out each other.
    fn cookie_name(&self) -> String {
        format!("git-port-{}", self.home.port)
    }

    /// Lets a browser in for an invitation, and returns its cookie and key.
    fn redeem(&self, code: &str, with_key: bool) -> Result<(HeaderValue, Option<String>)> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.home.redeem(code) {
            return Err(Error::new(ErrorKind::Denied, "the invitation is not valid any more")
                .hint("ask for another: git port dashboard"));
        }
        let cookie = dashboard::secret()?;
        let key = with_key.then(dashboard::secret).transpose()?;
        let line = format!("{}={cookie}; HttpOnly; SameSite=Strict; Path=/", self.cookie_name());
        let line = HeaderValue::from_str(&line)
            .map_err(|error| Error::new(ErrorKind::Internal, format!("no cookie: {error}")))?;
        if sessions.len() >= SESSIONS {
            sessions.remove(0);
        }
        sessions.push(Session { cookie, key: key.clone() });
        Ok((line, key))
    }
}

type Refusal = (StatusCode, &'static str);

/// Returns the value of a header that stands there once at most, and is text.
#[expect(clippy::option_option, reason = "absent is not the same as ambiguous")]
fn only<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

/// Lets a request through to its route, or answers in its place.
pub(super) async fn admit(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let answer = match judge(&app.guard, &request) {
        Ok(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(refusal) => *refusal,
    };
    (ALWAYS, answer).into_response()
}

fn judge(guard: &Guard, request: &Request) -> Result<Who, Box<Response>> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let denied = |status, message: &str| {
        let error = Error::new(ErrorKind::Denied, message).hint("ask for an invitation: git port dashboard");
        Box::new(refused(status, &error))
    };
    guard.check_origin(method, uri, headers).map_err(|(status, message)| denied(status, message))?;
    let who = guard.who(headers);
    let path = uri.path();
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let allowed = match who {
        Who::Insider => true,
        Who::Browser => is_read && !path.starts_with("/api/") || path == "/session",
        Who::Reader | Who::Stranger => is_read && assets::is_public(path) || path == "/session",
    };
    let is_page = is_read && path == "/";
    if !allowed && !is_page {
        return Err(denied(StatusCode::UNAUTHORIZED, "who asks is not known"));
    }
    if who == Who::Stranger && path == "/" {
        return Err(Box::new((StatusCode::UNAUTHORIZED, plain::door()).into_response()));
    }
    let is_change = !is_read && path.starts_with("/api/");
    if is_change && media_type(headers) != Some("application/json") {
        return Err(denied(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a change is asked for in JSON"));
    }
    Ok(who)
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = only(headers, &header::CONTENT_TYPE).flatten()?;
    value.split(';').next().map(str::trim)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invitation {
    code: String,
}

#[derive(Serialize)]
struct Entered {
    key: String,
}

/// Exchanges an invitation for a cookie: with JSON for one with a key, with a form for one without.
pub(super) async fn enter(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let entered = match media_type(&headers) {
        Some("application/json") => parse::<Invitation>(&body).and_then(|invitation| {
            let (cookie, key) = app.guard.redeem(&invitation.code, true)?;
            let key = key.unwrap_or_default();
            Ok(([(header::SET_COOKIE, cookie)], object(StatusCode::OK, Entered { key })).into_response())
        }),
        Some("application/x-www-form-urlencoded") => {
            let text = String::from_utf8_lossy(&body);
            // What is pasted may be the whole address; all else of it is percent-encoded.
            let code = text.rsplit(['=', '#']).next().unwrap_or_default();
            let code = code.rsplit("%23").next().unwrap_or_default().trim_matches(['+', ' ']);
            app.guard.redeem(code, false).map(|(cookie, _)| {
                let headers =
                    [(header::SET_COOKIE, cookie), (header::LOCATION, HeaderValue::from_static("/"))];
                (StatusCode::SEE_OTHER, headers).into_response()
            })
        }
        _ => Err(Error::usage("an invitation comes in JSON or in a form")),
    };
    match entered {
        Ok(answer) => answer,
        Err(error) if error.kind == ErrorKind::Denied && media_type(&headers) != Some("application/json") => {
            (StatusCode::UNAUTHORIZED, plain::door()).into_response()
        }
        Err(error) if error.kind == ErrorKind::Denied => refused(StatusCode::UNAUTHORIZED, &error),
        Err(error) => super::call::refusal(&error),
    }
}
