//! The page as it is sent: for a browser that has scripts, the frame that they fill; for one that has
//! none, a table, made here.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};

use super::call::refusal;
use super::guard::Who;
use super::{App, assets};
use crate::api::views::AllocationView;
use crate::api::views::dashboard::OverviewView;
use crate::error::{Error, ErrorKind};

/// Returns the door, which asks for an invitation.
pub(super) fn door() -> Html<&'static str> {
    Html(assets::DOOR)
}

/// Answers with the page.
pub(super) async fn page(State(app): State<Arc<App>>, Extension(who): Extension<Who>) -> Response {
    if who == Who::Browser {
        return Html(assets::PAGE).into_response();
    }
    let caller = app.caller.clone();
    let look = move || caller.call(super::look);
    match tokio::task::spawn_blocking(look).await {
        Ok((Ok(view), _)) => Html(table(&view)).into_response(),
        Ok((Err(error), _)) => refusal(&error),
        Err(_) => refusal(&Error::new(ErrorKind::Internal, "the operation came to a sudden end")),
    }
}

/// Returns the page for one who has no scripts.
fn table(view: &OverviewView) -> String {
    let count = view.allocations.len();
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>git-port</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><link rel=\"icon\" href=\"/icon.svg\">\
         <link rel=\"stylesheet\" href=\"/style.css\"></head><body class=\"plain\"><main>",
    );
    let at = view.at.strftime("%Y-%m-%d %H:%M:%S UTC");
    let _ = write!(
        html,
        "<h1>git-port</h1><p>{count} ports on {} at {at}. Load it again for news.</p>",
        text(&view.host)
    );
    if count == 0 {
        html.push_str("<p>No ports are allocated. <code>git port worktree create my-feature</code></p>");
    } else {
        html.push_str(
            "<div class=\"scroll\" role=\"region\" aria-label=\"Allocations\" tabindex=\"0\"><table>\
             <thead><tr><th scope=\"col\">Port<th scope=\"col\">State<th scope=\"col\">Project\
             <th scope=\"col\">Branch<th scope=\"col\">Service<th scope=\"col\">Environment\
             <th scope=\"col\">Process<th scope=\"col\">Worktree<th scope=\"col\">Host</tr></thead><tbody>",
        );
        for row in &view.allocations {
            line(&mut html, &row.allocation);
        }
        html.push_str("</tbody></table></div>");
    }
    html.push_str("<h2>Ranges</h2><ul>");
    for range in &view.stats.ranges {
        let whose = range.environment.as_deref().or(range.project.as_deref()).unwrap_or_default();
        let _ = write!(
            html,
            "<li>{}: {}-{}, {} of {} allocated, {} active",
            text(whose),
            range.start,
            range.end,
            range.allocated,
            range.total,
            range.active
        );
    }
    html.push_str("</ul></main></body></html>\n");
    html
}

fn line(html: &mut String, row: &AllocationView) {
    let port = match &row.url {
        Some(url) => format!("<a href=\"{}\" rel=\"noreferrer\">{}</a>", text(url), row.port),
        None => row.port.to_string(),
    };
    let process = row
        .process
        .as_ref()
        .map(|process| format!("{} (pid {})", process.name.as_deref().unwrap_or_default(), process.pid));
    let _ = write!(html, "<tr><th scope=\"row\">{port}</th>");
    let cells = [
        Some(row.state),
        Some(&row.project),
        row.branch.as_deref(),
        Some(&row.service),
        Some(&row.environment),
        process.as_deref(),
        row.worktree.as_deref(),
        Some(&row.host),
    ];
    for cell in cells {
        let _ = write!(html, "<td><bdi>{}</bdi></td>", text(cell.unwrap_or("–")));
    }
    html.push_str("</tr>");
}

/// Returns text that means nothing to a browser, and moves nothing: what is invisible or reorders what
/// stands beside it is written as an escape.
fn text(plain: &str) -> String {
    let mut escaped = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if crate::api::json::is_unsafe(c) => {
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text() {
        assert_eq!(
            text("<b a='x' c=\"y\">&\u{202e}\u{1b}é"),
            "&lt;b a=&#39;x&#39; c=&quot;y&quot;&gt;&amp;\\u{202e}\\u{1b}é"
        );
    }
}
