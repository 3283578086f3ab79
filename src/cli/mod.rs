//! The command line: one file per command, each with its arguments and a `run` that calls one operation.

mod allocate;
mod check;
mod cleanup;
mod completions;
mod env;
mod get;
mod history;
mod hook;
mod init;
mod list;
mod man;
mod passthrough;
mod range;
mod release;
mod reserve;
mod stats;
mod update;
mod url;
mod worktree;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::Environment;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::output::{ColorChoice, Output};

/// Give every git worktree its own ports, and keep the books
#[derive(Debug, Parser)]
#[command(
    name = "git-port",
    bin_name = "git port",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        git port worktree create feature-api   make a worktree that has its own port\n  \
        git port get                           this worktree's port\n  \
        eval \"$(git port env)\"                 its ports as variables\n  \
        git port list --all                    who has which port\n\n\
        See 'git port <command> -h' for one command, 'git help port' for the manual."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What holds for every command.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// Run as if started in <path>
    #[arg(short = 'C', value_name = "path", global = true, action = clap::ArgAction::Append)]
    directory: Vec<PathBuf>,
    /// Answer with one JSON object
    #[arg(long, global = true)]
    json: bool,
    /// Say nothing but the answer
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more, and show whole paths
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Use colour
    #[arg(long, value_name = "when", default_value = "auto", global = true, hide_possible_values = false)]
    color: Color,
    /// Keep the registry in this file
    #[arg(long, value_name = "path", global = true)]
    registry: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Worktree(worktree::Args),
    Allocate(allocate::Args),
    Get(get::Args),
    List(list::Args),
    Release(release::Args),
    Check(check::Args),
    Stats(stats::StatsArgs),
    Summary(stats::SummaryArgs),
    Update(update::Args),
    Cleanup(cleanup::Args),
    Env(env::Args),
    Url(url::Args),
    History(history::Args),
    Range(range::Args),
    Reserve(reserve::ReserveArgs),
    Unreserve(reserve::UnreserveArgs),
    Init(init::Args),
    Hook(hook::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Runs the program with these arguments, the first of which is its name, and returns its exit status.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let environment = Environment::capture();
    if environment.os("COMPLETE").is_some() && completions::answer(&args) {
        return 0;
    }
    // What a hook does must never fail git, whatever is wrong.
    let is_hook = hook::is_entry_point(&args);
    let (head, rest) = passthrough::split(args);
    let status = run(head, rest, environment);
    if is_hook { 0 } else { status }
}

fn run(args: Vec<OsString>, rest: Option<Vec<OsString>>, environment: Environment) -> u8 {
    let Cli { global, command } = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, args.iter().any(|arg| arg == "--json"), &environment),
    };
    let out = Output::new(&environment, global.color.into(), global.json, global.quiet, global.verbose);
    let answered = enter(&global, environment).and_then(|mut ctx| dispatch(command, rest, &mut ctx, &out));
    let status = answered.unwrap_or_else(|error| {
        out.error(&error);
        error.exit_status()
    });
    let Some(failure) = out.finish() else { return status };
    let error = Error::new(ErrorKind::Unavailable, format!("cannot write the answer: {failure}"));
    out.error(&error);
    error.exit_status()
}

fn enter(global: &Global, environment: Environment) -> Result<Context> {
    for directory in &global.directory {
        std::env::set_current_dir(directory).map_err(|error| {
            Error::new(
                ErrorKind::NotARepository,
                format!("cannot change to '{}': {error}", directory.display()),
            )
        })?;
    }
    Context::new(environment, global.registry.clone())
}

fn dispatch(command: Command, rest: Option<Vec<OsString>>, ctx: &mut Context, out: &Output) -> Result<u8> {
    match command {
        Command::Worktree(args) => args.run(rest, ctx, out),
        Command::Allocate(args) => args.run(ctx, out),
        Command::Get(args) => args.run(ctx, out),
        Command::List(args) => args.run(ctx, out),
        Command::Release(args) => args.run(ctx, out),
        Command::Check(args) => args.run(ctx, out),
        Command::Stats(args) => args.run(ctx, out),
        Command::Summary(args) => args.run(ctx, out),
        Command::Update(args) => args.run(ctx, out),
        Command::Cleanup(args) => args.run(ctx, out),
        Command::Env(args) => args.run(ctx, out),
        Command::Url(args) => args.run(ctx, out),
        Command::History(args) => args.run(ctx, out),
        Command::Range(args) => args.run(ctx, out),
        Command::Reserve(args) => args.run(ctx, out),
        Command::Unreserve(args) => args.run(ctx, out),
        Command::Init(args) => args.run(ctx, out),
        Command::Hook(args) => args.run(ctx, out),
        Command::Completions(args) => args.run(out),
        Command::Man(args) => args.run(out),
    }
}

/// Help and version are answers; everything else clap says is about a malformed command line, which git
/// ends with 129.
fn usage(error: &clap::Error, json: bool, environment: &Environment) -> u8 {
    if !error.use_stderr() {
        return u8::from(error.print().is_err());
    }
    if json {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let hint = "see the usage: git port -h";
        Output::new(environment, ColorChoice::Never, true, false, false)
            .error(&Error::usage(message).hint(hint));
    } else {
        let _ = error.print();
    }
    ErrorKind::Usage.exit_status()
}

/// Returns the whole command line, for manual pages and completions.
fn command() -> clap::Command {
    Cli::command()
}

/// Returns what was given, else what the environment says, for `--session`.
fn session(given: Option<String>, ctx: &Context) -> Result<Option<String>> {
    match given {
        Some(session) => Ok(Some(session)),
        None => Ok(ctx.environment.text("GIT_PORT_SESSION")?.map(str::to_owned)),
    }
}
