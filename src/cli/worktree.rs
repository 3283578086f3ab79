//! `git port worktree`

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;

use super::session;
use crate::api::views::{AllocationView, AllocationsView, CreatedView, RemovedView, WorktreesView};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ops::allocate::ServiceRequest;
use crate::ops::worktree::{self, CreateRequest, RemoveRequest, Verb};
use crate::output::{Output, text};
use crate::registry::EnvironmentName;

/// Make, remove and list worktrees, with their ports
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(Create),
    Remove(Remove),
    /// List worktrees with their ports
    #[command(visible_alias = "ls")]
    List,
    /// Print the path of a worktree, for cd "$(git port worktree path …)"
    Path {
        /// A path, a folder's name or a branch
        #[arg(value_name = "worktree")]
        worktree: OsString,
    },
    /// Run git worktree add with these arguments, and allocate
    #[command(override_usage = "git port worktree add <what git worktree add takes>")]
    Add,
    /// Run git worktree move with these arguments; the ports follow
    #[command(override_usage = "git port worktree move <what git worktree move takes>")]
    Move,
    /// Run git worktree lock with these arguments
    #[command(override_usage = "git port worktree lock <what git worktree lock takes>")]
    Lock,
    /// Run git worktree unlock with these arguments
    #[command(override_usage = "git port worktree unlock <what git worktree unlock takes>")]
    Unlock,
    /// Run git worktree prune with these arguments, and release what it pruned
    #[command(override_usage = "git port worktree prune <what git worktree prune takes>")]
    Prune,
    /// Run git worktree repair with these arguments; the ports follow
    #[command(override_usage = "git port worktree repair <what git worktree repair takes>")]
    Repair,
}

/// Make a worktree and allocate its ports
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    git port worktree create feature-api              beside the main worktree\n  \
    git port worktree create fix-7 --from v1.2        a new branch from a tag\n  \
    git port worktree create topic ../elsewhere       in this folder\n  \
    cd \"$(git port worktree create topic --print-path)\"")]
struct Create {
    /// An existing branch, one of a remote, or a new one; with --detach any commit
    #[arg(value_name = "branch")]
    branch: OsString,
    /// Where [default: ../{project}-{branch} beside the main worktree]
    #[arg(value_name = "path")]
    path: Option<PathBuf>,
    /// Start a new branch here [default: HEAD]
    #[arg(long, value_name = "commit")]
    from: Option<OsString>,
    /// Check out a commit without a branch
    #[arg(short, long)]
    detach: bool,
    /// Leave the worktree empty
    #[arg(long)]
    no_checkout: bool,
    /// Give this service a port too, or this very port
    #[arg(long, value_name = "name[=port]", value_parser = service_request)]
    service: Vec<ServiceRequest>,
    /// The environment of the ports [default: dev]
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
    /// Make the worktree without ports
    #[arg(long)]
    no_ports: bool,
    /// Print nothing but the path
    #[arg(long)]
    print_path: bool,
    /// Note which conversation or agent asks [default: $GIT_PORT_SESSION]
    #[arg(long, value_name = "name")]
    session: Option<String>,
}

/// Remove a worktree and release all its ports
#[derive(Debug, clap::Args)]
#[command(visible_alias = "rm")]
struct Remove {
    /// A path, a folder's name or a branch [default: where you stand]
    #[arg(value_name = "worktree")]
    worktree: Option<OsString>,
    /// Remove it although it has changes; twice, although it is locked
    #[arg(short, long, action = clap::ArgAction::Count)]
    force: u8,
    /// Delete its branch too
    #[arg(long)]
    delete_branch: bool,
}

impl Args {
    pub(super) fn run(self, rest: Option<Vec<OsString>>, ctx: &mut Context, out: &Output) -> Result<u8> {
        match self.command {
            Command::Create(create) => create.run(ctx, out),
            Command::Remove(remove) => remove.run(ctx, out),
            Command::List => list(ctx, out),
            Command::Path { worktree } => {
                let path = worktree::path(ctx, &worktree)?;
                print_path(out, &path);
                Ok(0)
            }
            Command::Add => pass_through(Verb::Add, rest, ctx, out),
            Command::Move => pass_through(Verb::Move, rest, ctx, out),
            Command::Lock => pass_through(Verb::Lock, rest, ctx, out),
            Command::Unlock => pass_through(Verb::Unlock, rest, ctx, out),
            Command::Prune => pass_through(Verb::Prune, rest, ctx, out),
            Command::Repair => pass_through(Verb::Repair, rest, ctx, out),
        }
    }
}

impl Create {
    fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let request = CreateRequest {
            branch: self.branch,
            path: self.path,
            from: self.from,
            detach: self.detach,
            no_checkout: self.no_checkout,
            services: self.service,
            environment: self.environment,
            no_ports: self.no_ports,
            session: session(self.session, ctx)?,
            keep_words: out.is_json(),
            quiet: out.is_quiet(),
        };
        let created = worktree::create(ctx, &request)?;
        out.warnings(&created.warnings);
        if out.is_json() {
            out.object(CreatedView::new(&created, &ctx.host.name));
        } else if self.print_path {
            print_path(out, &created.described.worktree.path);
        } else {
            text::created(out, &created);
        }
        Ok(created.status)
    }
}

impl Remove {
    fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let request = RemoveRequest {
            worktree: self.worktree,
            force: self.force,
            delete_branch: self.delete_branch,
            keep_words: out.is_json(),
        };
        let removed = worktree::remove(ctx, &request)?;
        out.warnings(&removed.warnings);
        if out.is_json() {
            out.object(RemovedView::new(&removed, &ctx.host.name));
            return Ok(0);
        }
        text::removed(out, &removed);
        if removed.stood_in {
            out.hint("the folder you stand in is gone: cd \"$(git port worktree path <worktree>)\"");
        }
        Ok(0)
    }
}

fn list(ctx: &mut Context, out: &Output) -> Result<u8> {
    let worktrees = worktree::list(ctx)?;
    if out.is_json() {
        out.object(WorktreesView::from(worktrees.as_slice()));
    } else {
        text::worktrees(out, &worktrees);
    }
    Ok(0)
}

fn pass_through(verb: Verb, rest: Option<Vec<OsString>>, ctx: &mut Context, out: &Output) -> Result<u8> {
    let arguments = rest.unwrap_or_default();
    let passed = worktree::pass_through(ctx, verb, &arguments, out.is_json())?;
    if out.is_json() {
        let host = &ctx.host.name;
        let allocations = passed.placed.iter().map(|placed| AllocationView::placed(placed, host));
        let released = passed.released.iter().map(|released| AllocationView::recorded(released, host));
        let allocations = allocations.chain(released).collect();
        out.object(AllocationsView { allocations, warnings: passed.warnings });
        return Ok(passed.status);
    }
    // git's own standard output is passed on, so ours goes to standard error; none of it with git's -q.
    let quiet = arguments.iter().any(|arg| arg == "-q" || arg == "--quiet");
    if !quiet {
        out.warnings(&passed.warnings);
        for placed in &passed.placed {
            let allocation = &placed.allocation;
            out.status(&format!("Allocated Port: {} ({})", allocation.port, allocation.service));
        }
        for released in &passed.released {
            out.status(&format!("Released Port: {} ({})", released.port, released.service));
        }
    }
    Ok(passed.status)
}

/// A path is printed as the bytes it is, for `cd "$(…)"`.
fn print_path(out: &Output, path: &std::path::Path) {
    out.raw(path.as_os_str().as_encoded_bytes());
    out.raw(b"\n");
}

fn service_request(text: &str) -> Result<ServiceRequest> {
    let (name, port) = match text.split_once('=') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    Ok(ServiceRequest {
        service: name.parse().map_err(Error::from)?,
        exactly: port.map(str::parse).transpose()?,
        prefer: None,
    })
}
