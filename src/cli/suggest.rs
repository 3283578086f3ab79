//! `git port suggest`

use serde::Serialize;

use crate::context::Context;
use crate::error::Result;
use crate::ops::suggest::{self, SuggestRequest};
use crate::output::{Output, text};
use crate::registry::{EnvironmentName, Port, ProjectName, ServiceName};

/// Suggest a port for a service, and say why
///
/// Nothing is allocated. A database, a cache or a queue gets a port that ends as its usual one does; any
/// other service gets the next free one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    git port suggest db                 ends like 5432\n  \
    git port suggest search --like 9200\n  \
    git port suggest nginx -e production --project edge")]
pub(super) struct Args {
    /// The service
    #[arg(value_name = "service")]
    service: ServiceName,
    /// The environment [default: dev]
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
    /// For this project [default: the one of the worktree]
    #[arg(long, value_name = "name")]
    project: Option<ProjectName>,
    /// What kind of service it is: web, api, db, …
    #[arg(long = "type", value_name = "kind")]
    service_type: Option<String>,
    /// The port it is known by, as 9200
    #[arg(long, value_name = "port")]
    like: Option<Port>,
}

#[derive(Serialize)]
struct View<'a> {
    service: &'a str,
    service_type: &'a str,
    environment: &'a str,
    port: u16,
    reason: &'a str,
    allocated: bool,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let Self { service, environment, project, service_type, like } = self;
        let request = SuggestRequest { service, environment, project, service_type, like };
        let suggested = suggest::suggest(ctx, &request)?;
        if out.is_json() {
            out.object(View {
                service: suggested.service.as_str(),
                service_type: &suggested.service_type,
                environment: suggested.environment.as_str(),
                port: suggested.port.number(),
                reason: &suggested.reason,
                allocated: suggested.allocated,
            });
        } else {
            text::suggested(out, &suggested);
        }
        Ok(0)
    }
}
