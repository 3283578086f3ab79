//! `git port export`

use std::path::PathBuf;

use crate::api::views::ExportView;
use crate::context::Context;
use crate::error::Result;
use crate::exchange::ExportFormat;
use crate::ops::export::{self, ExportRequest};
use crate::output::Output;
use crate::registry::{EnvironmentName, ProjectName};

/// Write the registry as a document: of this project, or of all outside a repository
///
/// The same registry always gives the same bytes. What JSON says, 'git port import' reads back without
/// loss.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    git port export --all --released --output ports.json   a backup\n  \
    git port export --format markdown                      a table for a document\n  \
    git port export --format caddy --all                   names for a reverse proxy")]
pub(super) struct Args {
    #[arg(long, value_name = "format", value_parser = format_names(), default_value = "json")]
    #[arg(hide_possible_values = true)]
    #[arg(help = "json, csv, markdown, dotenv, compose, caddy, traefik or nginx")]
    format: String,
    /// Of all projects
    #[arg(short, long, conflicts_with = "project")]
    all: bool,
    /// Of one project [default: the one you stand in]
    #[arg(short, long, value_name = "name")]
    project: Option<ProjectName>,
    /// In one environment
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
    /// Released ones too, in json, csv and markdown
    #[arg(long)]
    released: bool,
    /// Into this file, and no symbolic link
    #[arg(short, long, value_name = "file")]
    output: Option<PathBuf>,
}

fn format_names() -> clap::builder::PossibleValuesParser {
    ExportFormat::ALL.map(ExportFormat::name).into()
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let named = ExportFormat::ALL.into_iter().find(|format| format.name() == self.format);
        let request = ExportRequest {
            format: named.unwrap_or(ExportFormat::Json),
            all: self.all,
            project: self.project,
            environment: self.environment,
            released: self.released,
            output: self.output,
        };
        let exported = export::export(ctx, &request)?;
        let file = request.output.as_ref().map(|path| path.to_string_lossy().into_owned());
        if out.is_json() && (file.is_some() || request.format != ExportFormat::Json) {
            let text = file.is_none().then_some(exported.text);
            out.object(ExportView {
                format: request.format.name(),
                output: file,
                text,
                count: exported.count,
            });
        } else if let Some(file) = file {
            let ports = if exported.count == 1 { "port" } else { "ports" };
            out.status(&format!("Exported {} {ports} to '{file}'", exported.count));
        } else {
            out.raw(exported.text.as_bytes());
        }
        Ok(0)
    }
}
