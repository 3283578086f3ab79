//! The command line: one file per command, each with its arguments and a `run` that calls one operation.

mod allocate;
mod audit;
mod check;
mod cleanup;
mod completions;
mod dashboard;
mod doctor;
mod env;
mod explain;
mod export;
mod get;
mod grammar;
mod health;
mod history;
mod hook;
mod import;
mod init;
mod integrate;
mod list;
mod man;
mod mcp;
mod open;
mod passthrough;
mod range;
mod registry;
mod release;
mod reserve;
mod run;
mod service;
mod shell_init;
mod stats;
mod suggest;
mod template;
mod trust;
mod update;
mod url;
mod watch;
mod worktree;

use std::ffi::OsString;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::error::ErrorKind as Kind;
use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{self, Environment};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::ops::recovery::{self, Recovered};
use crate::ops::worktree::look_around;
use crate::output::{ColorChoice, Output, escape};
use crate::registry::check_hostname;
use grammar::parse;

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
    #[arg(long, value_name = "path", global = true, value_parser = NonEmptyStringValueParser::new())]
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
    Audit(audit::Args),
    Stats(stats::StatsArgs),
    Summary(stats::SummaryArgs),
    Update(update::Args),
    Cleanup(cleanup::Args),
    Env(env::Args),
    Run(run::Args),
    Url(url::Args),
    Template(template::Args),
    Trust(trust::Args),
    Open(open::Args),
    Health(health::Args),
    History(history::Args),
    Range(range::Args),
    Registry(registry::Args),
    Reserve(reserve::ReserveArgs),
    Unreserve(reserve::UnreserveArgs),
    Import(import::Args),
    Export(export::Args),
    Init(init::Args),
    Suggest(suggest::Args),
    Doctor(doctor::Args),
    Explain(explain::Args),
    Hook(hook::Args),
    Integrate(integrate::Args),
    Watch(watch::Args),
    ShellInit(shell_init::Args),
    Mcp(mcp::Args),
    Dashboard(dashboard::Args),
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
    if let Some(arguments) = hook::arguments(&args) {
        if !hook::is_idle(&environment, arguments) {
            // What a hook does must never fail git, whatever is wrong.
            let _ = catch_unwind(AssertUnwindSafe(|| run(args.clone(), None, environment)));
        }
        return 0;
    }
    let is_agents_hook = hook::is_agents(&args);
    let (head, rest) = passthrough::split(args);
    let status = run(head, rest, environment);
    if is_agents_hook { 0 } else { status }
}

fn run(args: Vec<OsString>, rest: Option<Vec<OsString>>, environment: Environment) -> u8 {
    let Cli { global, command } = match parse(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(error, &args, &environment),
    };
    let out = Output::new(&environment, global.color.into(), global.json, global.quiet, global.verbose);
    let answered = enter(&global, environment).and_then(|mut ctx| {
        let narrator = Mutex::new(out.narrator());
        ctx.tell_waiting(Arc::new(move |message| {
            if let Ok(narrator) = narrator.lock() {
                narrator.status(message);
            }
        }));
        let answered = attended(command, &args, rest, &mut ctx, &out);
        out.warnings(&ctx.take_notes());
        answered
    });
    let status = answered.unwrap_or_else(|error| {
        out.error(&error);
        error.exit_status()
    });
    finish(&out, status)
}

/// Runs a command on a registry that can be trusted.
fn attended(
    command: Command,
    args: &[OsString],
    rest: Option<Vec<OsString>>,
    ctx: &mut Context,
    out: &Output,
) -> Result<u8> {
    if let Some(patience) = command.patience() {
        ctx.limit_patience(patience);
    }
    if let Command::Hook(hook) = &command
        && !hook.has_work(ctx, out)
    {
        return Ok(0);
    }
    if let Some(answered) = command.run_at_hand(ctx, out) {
        return answered;
    }
    if !command.uses_registry() {
        return dispatch(command, rest, ctx, out);
    }
    let mut first = Some(command);
    recovery::attended(ctx, &mut |recovered| tell(out, recovered), &mut |ctx| {
        // Run again, it is parsed again: the first run has used it up.
        let parsed = || parse(args).map_err(Error::usage);
        let command = first.take().map_or_else(|| parsed().map(|cli| cli.command), Ok)?;
        dispatch(command, rest.clone(), ctx, out)
    })
}

fn tell(out: &Output, recovered: &Recovered) {
    // Whoever reads the object on standard output is told, too.
    recovered.messages.iter().for_each(|message| out.warning(message));
    recovered.hints.iter().for_each(|hint| out.hint(hint));
}

/// Returns the status, unless the answer could not be written.
fn finish(out: &Output, status: u8) -> u8 {
    out.finish().map_or(status, |failure| unwritten(out, &failure))
}

/// Tells on standard error, for standard output takes nothing any more.
fn unwritten(out: &Output, failure: &io::Error) -> u8 {
    let error = Error::new(ErrorKind::Unavailable, format!("cannot write the answer: {failure}"));
    out.complain(&error);
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

impl Command {
    /// Says whether it asks or changes the registry. `doctor` looks at it as it is; a server attends to it at
    /// each request.
    fn uses_registry(&self) -> bool {
        !matches!(
            self,
            Self::ShellInit(_)
                | Self::Completions(_)
                | Self::Man(_)
                | Self::Doctor(_)
                | Self::Explain(_)
                | Self::Integrate(_)
                | Self::Mcp(_)
        )
    }

    /// Answers what is asked at every prompt without opening anything, where that is possible.
    fn run_at_hand(&self, ctx: &mut Context, out: &Output) -> Option<Result<u8>> {
        match self {
            Self::Get(args) => args.run_at_hand(ctx, out),
            Self::Env(args) => args.run_at_hand(ctx, out),
            _ => None,
        }
    }

    /// Says how long the command waits for locks, if not as long as the others.
    fn patience(&self) -> Option<Duration> {
        match self {
            Self::Hook(hook) => hook.patience(),
            // One who asks it to stop does not wait for a registry that somebody holds.
            Self::Watch(_) => Some(crate::ops::watch::PATIENCE),
            _ => None,
        }
    }

    /// Says whether the answer depends on which worktrees there are. What is asked for at every prompt, and
    /// what git itself is waiting for, answers from what is known. A cleanup looks by itself.
    fn looks_around(&self) -> bool {
        matches!(
            self,
            Self::Allocate(_)
                | Self::List(_)
                | Self::Release(_)
                | Self::Check(_)
                | Self::Stats(_)
                | Self::Summary(_)
                | Self::Update(_)
                | Self::Health(_)
        )
    }
}

fn dispatch(command: Command, rest: Option<Vec<OsString>>, ctx: &mut Context, out: &Output) -> Result<u8> {
    if command.looks_around() {
        look_around(ctx);
    }
    match command {
        Command::Worktree(args) => args.run(rest, ctx, out),
        Command::Allocate(args) => args.run(ctx, out),
        Command::Get(args) => args.run(ctx, out),
        Command::List(args) => args.run(ctx, out),
        Command::Release(args) => args.run(ctx, out),
        Command::Check(args) => args.run(ctx, out),
        Command::Audit(args) => args.run(ctx, out),
        Command::Stats(args) => args.run(ctx, out),
        Command::Summary(args) => args.run(ctx, out),
        Command::Update(args) => args.run(ctx, out),
        Command::Cleanup(args) => args.run(ctx, out),
        Command::Env(args) => args.run(ctx, out),
        Command::Run(args) => args.run(ctx, out),
        Command::Url(args) => args.run(ctx, out),
        Command::Template(args) => args.run(ctx, out),
        Command::Trust(args) => args.run(ctx, out),
        Command::Open(args) => args.run(ctx, out),
        Command::Health(args) => args.run(ctx, out),
        Command::History(args) => args.run(ctx, out),
        Command::Range(args) => args.run(ctx, out),
        Command::Registry(args) => args.run(ctx, out),
        Command::Reserve(args) => args.run(ctx, out),
        Command::Unreserve(args) => args.run(ctx, out),
        Command::Import(args) => args.run(ctx, out),
        Command::Export(args) => args.run(ctx, out),
        Command::Init(args) => args.run(ctx, out),
        Command::Suggest(args) => args.run(ctx, out),
        Command::Doctor(args) => args.run(ctx, out),
        Command::Explain(args) => args.run(out),
        Command::Hook(args) => args.run(ctx, out),
        Command::Integrate(args) => args.run(ctx, out),
        Command::Watch(args) => args.run(ctx, out),
        Command::ShellInit(args) => args.run(out),
        Command::Mcp(args) => args.run(ctx),
        Command::Dashboard(args) => args.run(ctx, out),
        Command::Completions(args) => args.run(out),
        Command::Man(args) => args.run(out),
    }
}

/// Help and version are answers; everything else clap says is about a malformed command line, which git
/// ends with 129.
fn usage(error: clap::Error, args: &[OsString], environment: &Environment) -> u8 {
    let json = args.iter().any(|arg| arg == "--json");
    let out = Output::new(environment, ColorChoice::Auto, json, false, false);
    if !error.use_stderr() {
        return match error.print() {
            Err(failure) if failure.kind() != io::ErrorKind::BrokenPipe => unwritten(&out, &failure),
            _ => 0,
        };
    }
    let error = as_shown(error, args);
    if error.kind() == Kind::InvalidUtf8 {
        let bad = args.iter().find(|arg| arg.to_str().is_none()).cloned().unwrap_or_default();
        let error = Error::usage(format!("'{}' is not UTF-8 text", bad.to_string_lossy()));
        out.error(&error.hint("see the usage: git port -h"));
    } else if json {
        out.error(&for_program(&error));
    } else {
        let _ = error.print();
    }
    finish(&out, ErrorKind::Usage.exit_status())
}

/// clap repeats the words as they were typed, so the line is parsed once more as it may be shown.
fn as_shown(error: clap::Error, args: &[OsString]) -> clap::Error {
    let shown = args.iter().map(|arg| escape(&arg.to_string_lossy()));
    Cli::try_parse_from(shown).err().filter(clap::Error::use_stderr).unwrap_or(error)
}

/// Returns what clap says at length as a message on one line, with the usage as the hint.
fn for_program(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let message = match error.kind() {
        Kind::DisplayHelpOnMissingArgumentOrSubcommand | Kind::MissingSubcommand => {
            "no command is named".to_owned()
        }
        _ => {
            let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
            lines.join(" ").trim_start_matches("error: ").to_owned()
        }
    };
    let tips = text.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: "));
    let hints =
        tips.map(str::to_owned)
            .chain([usage
                .map_or_else(|| "see the usage: git port -h".to_owned(), |usage| format!("usage: {usage}"))]);
    Error { hints: hints.collect(), ..Error::usage(message) }
}

/// Reads a duration of the command line.
fn duration(text: &str) -> Result<jiff::SignedDuration> {
    config::duration(text).map_err(|error| Error { hints: error.hints.clone(), ..Error::usage(error) })
}

/// Returns the host name; an empty one stands for none.
fn public_hostname(text: &str) -> Result<String> {
    if !text.is_empty() {
        check_hostname(text)?;
    }
    Ok(text.to_owned())
}

/// Returns what was given, else what the environment says, for `--session`.
fn session(given: Option<String>, ctx: &Context) -> Result<Option<String>> {
    match given {
        Some(session) => Ok(Some(session)),
        None => Ok(ctx.environment.text("GIT_PORT_SESSION")?.map(str::to_owned)),
    }
}
