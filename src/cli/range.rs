//! `git port range`

use clap::Subcommand;

use crate::api::views::{RangesView, ranges_of};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ops::range::{self, RangeChanged, Whose};
use crate::output::{Output, text};
use crate::registry::{EnvironmentName, PortRange, ProjectName, RangeRecord};

/// Show and set the ranges of environments and projects
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:\n  \
    git port range list\n  \
    git port range set dev 8000-8999 20000-29999\n  \
    git port range set shop 3100-3199  a range of the project's own\n  \
    git port range set shop 3100-3199 --shared  one owner in the whole team\n  \
    git port range unset shop")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show all ranges and reserved ports, and where each is set
    #[command(visible_alias = "ls")]
    List,
    /// Set the ranges of an environment or a project, in order
    Set {
        #[command(flatten)]
        whose: WhoseArgs,
        /// Ranges: 3100-3199, or several, the first being the primary one
        #[arg(required = true, value_name = "range", value_delimiter = ',')]
        ranges: Vec<PortRange>,
        /// Hold their ports for the whole team: one owner, on whatever machine
        #[arg(long)]
        shared: bool,
    },
    /// Drop the ranges that were set
    Unset {
        #[command(flatten)]
        whose: WhoseArgs,
    },
}

#[derive(Debug, clap::Args)]
struct WhoseArgs {
    /// An environment, else a project
    #[arg(value_name = "environment or project")]
    name: String,
    /// It is an environment, which may be new
    #[arg(short, long, conflicts_with = "project")]
    environment: bool,
    /// It is a project, though an environment has the name
    #[arg(short, long)]
    project: bool,
}

impl WhoseArgs {
    fn resolve(&self) -> Result<Whose> {
        Ok(if self.environment {
            Whose::Environment(self.name.parse::<EnvironmentName>().map_err(Error::from)?)
        } else if self.project {
            Whose::Project(self.name.parse::<ProjectName>().map_err(Error::from)?)
        } else {
            Whose::Named(self.name.clone())
        })
    }
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        match self.command {
            Command::List => {
                let in_force = range::list(ctx)?;
                if out.is_json() {
                    out.object(RangesView::from(&in_force));
                } else {
                    text::ranges(out, &in_force);
                }
            }
            Command::Set { whose, ranges, shared } => {
                changed(out, &range::set(ctx, &whose.resolve()?, &ranges, shared)?);
            }
            Command::Unset { whose } => changed(out, &range::unset(ctx, &whose.resolve()?)?),
        }
        Ok(0)
    }
}

fn changed(out: &Output, changed: &RangeChanged) {
    out.warnings(&changed.warnings);
    let (name, list) = match &changed.record {
        RangeRecord::Environment(name, list) => (name.to_string(), list),
        RangeRecord::Project(name, list) => (name.to_string(), list),
    };
    let texts: Vec<String> = list.iter().map(ToString::to_string).collect();
    if out.is_json() {
        let (ranges, warnings) = (ranges_of(&changed.record, "the registry"), changed.warnings.clone());
        out.object(RangesView { ranges, reserved: Vec::new(), warnings });
    } else if texts.is_empty() {
        out.line(&format!("Range of {name} unset"));
    } else {
        out.line(&format!("Range of {name} set to {}", texts.join(", ")));
    }
}
