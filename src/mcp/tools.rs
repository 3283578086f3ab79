//! The tools: their names, what an agent is told of them, and what runs when they are called.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::arguments as input;
use super::{schema, work};
use crate::api::views::Versioned;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::ops::catalogue::{self, Effect};
use crate::ops::recovery;
use crate::ops::worktree::look_around;

/// Runs a tool: a context to stand in, the arguments, and what to tell besides the answer.
type Run = Box<dyn Fn(&Context, JsonObject) -> Result<JsonObject> + Send + Sync>;

/// A tool, ready to be listed and called.
pub(super) struct ToolEntry {
    pub(super) name: &'static str,
    title: &'static str,
    description: &'static str,
    input: Arc<JsonObject>,
    output: Arc<JsonObject>,
    run: Run,
}

impl ToolEntry {
    /// Returns the tool as it is listed. What it does to the registry is what its operation does.
    pub(super) fn tool(&self) -> Tool {
        let operation = catalogue::find_tool(self.name);
        let effect = operation.map_or(Effect::Destroys, |operation| operation.effect);
        let annotations = ToolAnnotations::with_title(self.title)
            .read_only(effect == Effect::Reads)
            .destructive(effect == Effect::Destroys)
            .idempotent(operation.is_some_and(|operation| operation.idempotent))
            .open_world(false);
        Tool::new(self.name, Cow::Borrowed(self.description), Arc::clone(&self.input))
            .with_title(self.title)
            .with_raw_output_schema(Arc::clone(&self.output))
            .with_annotations(annotations)
    }

    /// Calls it with these arguments.
    pub(super) fn call(&self, seed: &Context, arguments: JsonObject) -> Result<JsonObject> {
        (self.run)(seed, arguments)
    }
}

/// Where one stands who calls a tool.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// In this worktree.
    Worktree(&'a str),
    /// Nowhere: the call is about a project, ports, or all.
    Nowhere,
}

/// Whether the answer depends on which worktrees there are, as for the commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looks {
    Around,
    No,
}

/// Returns all tools, in the order of the catalogue.
pub(super) fn tools() -> Vec<ToolEntry> {
    use Looks::{Around, No};
    let mut tools = vec![
        entry(
            (
                "get-port",
                "Get a port",
                "Returns the port of a service in your worktree, allocating it if there \
                is none. Call it before you start any server, and use exactly that port. The same worktree and \
                service always get the same port.",
            ),
            No,
            |one: &input::GetPort| place(one.worktree.as_deref(), one.project.as_deref()),
            work::get_port,
        ),
        entry(
            (
                "allocate-port",
                "Allocate ports",
                "Ensures that services of your worktree have ports, several at \
                once as neighbours. Idempotent: what has a port keeps it.",
            ),
            Around,
            |one: &input::AllocatePort| place(one.worktree.as_deref(), one.project.as_deref()),
            work::allocate_port,
        ),
        entry(
            (
                "list-ports",
                "List ports",
                "Lists allocations with their state: of your worktree, its project, or \
                all. Read the state before you assume a server runs.",
            ),
            Around,
            |one: &input::ListPorts| match one.scope {
                input::Scope::All => Ok(optional(one.worktree.as_deref())),
                _ => place(one.worktree.as_deref(), one.project.as_deref()),
            },
            work::list_ports,
        ),
        entry(
            (
                "audit-ports",
                "Audit ports",
                "Compares what is recorded with what listens on this machine: \
                conflicts and orphaned ports. Call it when a server cannot bind its port.",
            ),
            No,
            |_: &input::AuditPorts| Ok(Place::Nowhere),
            work::audit_ports,
        ),
        entry(
            (
                "port-summary",
                "Port summary",
                "Says how full the port ranges are, and how many ports a project \
                has.",
            ),
            Around,
            |one: &input::PortSummary| Ok(optional(one.worktree.as_deref())),
            work::port_summary,
        ),
        entry(
            (
                "release-port",
                "Release ports",
                "Gives ports of your own worktree back. Without confirm it only \
                says what it would do. It refuses a port on which a server of the worktree listens, and ports \
                of others.",
            ),
            Around,
            |one: &input::ReleasePort| place(one.worktree.as_deref(), one.project.as_deref()),
            work::release_port,
        ),
        entry(
            (
                "update-port",
                "Update a port",
                "Changes what is noted about a port of your own worktree: \
                description, type, public hostname, service name, pin.",
            ),
            Around,
            |one: &input::UpdatePort| place(one.worktree.as_deref(), one.project.as_deref()),
            work::update_port,
        ),
        entry(
            (
                "check-port",
                "Check ports",
                "Says whether ports are free, and whose they are if not. Call it \
                before you blame a port; never kill the process it names.",
            ),
            Around,
            |_: &input::CheckPort| Ok(Place::Nowhere),
            work::check_port,
        ),
        entry(
            (
                "create-worktree",
                "Create a worktree",
                "Makes a git worktree for a branch and gives it its ports. \
                Use it instead of git worktree add.",
            ),
            No,
            |one: &input::CreateWorktree| Ok(Place::Worktree(&one.worktree)),
            work::create_worktree,
        ),
        entry(
            (
                "remove-worktree",
                "Remove a worktree",
                "Removes a git worktree and releases all its ports. Without \
                confirm it only says what it would do. git refuses if there are changes in it, and nothing \
                here forces it.",
            ),
            No,
            |one: &input::RemoveWorktree| Ok(Place::Worktree(&one.worktree)),
            work::remove_worktree,
        ),
        entry(
            (
                "cleanup-ports",
                "Clean up ports",
                "Releases the ports of worktrees that are gone, in all projects. \
                Without confirm it only says what it would do. Only when you are asked to.",
            ),
            No,
            |_: &input::CleanupPorts| Ok(Place::Nowhere),
            work::cleanup_ports,
        ),
    ];
    let order = |name: &str| catalogue::OPERATIONS.iter().position(|one| one.mcp == Some(name));
    tools.sort_by_key(|tool| order(tool.name));
    tools
}

fn entry<I, O>(
    (name, title, description): (&'static str, &'static str, &'static str),
    looks: Looks,
    place: fn(&I) -> Result<Place<'_>>,
    work: fn(&mut Context, &I) -> Result<O>,
) -> ToolEntry
where
    I: DeserializeOwned + JsonSchema + 'static,
    O: Serialize + JsonSchema + 'static,
{
    let run = move |seed: &Context, arguments: JsonObject| {
        let input: I = serde_json::from_value(Value::Object(arguments)).map_err(|error| {
            Error::usage(format!("the arguments do not fit: {error}"))
                .hint(format!("see the input schema of the tool '{name}'"))
        })?;
        let mut ctx = enter(seed, place(&input)?)?;
        let mut told = Vec::new();
        let answer = recovery::attended(
            &mut ctx,
            &mut |recovered| {
                told.extend(recovered.messages.iter().cloned());
                told.extend(recovered.hints.iter().cloned());
            },
            &mut |ctx| {
                if looks == Looks::Around {
                    look_around(ctx);
                }
                work(ctx, &input)
            },
        )?;
        told.extend(ctx.take_notes());
        Ok(object(answer, told))
    };
    let (input, output) = (Arc::new(schema::input::<I>()), Arc::new(schema::output::<O>()));
    ToolEntry { name, title, description, input, output, run: Box::new(run) }
}

/// Returns the answer with its version in front, and all that the user should know under `warnings`.
fn object(answer: impl Serialize, told: Vec<String>) -> JsonObject {
    let mut object = match serde_json::to_value(Versioned::new(answer)) {
        Ok(Value::Object(object)) => object,
        _ => JsonObject::new(),
    };
    if let Value::Array(warnings) = object.entry("warnings").or_insert_with(|| json!([])) {
        warnings.extend(told.into_iter().map(Value::String));
    }
    object
}

/// A call is about a worktree or about a project; which, nobody guesses.
fn place<'a>(worktree: Option<&'a str>, project: Option<&str>) -> Result<Place<'a>> {
    match (worktree, project) {
        (Some(worktree), _) => Ok(Place::Worktree(worktree)),
        (None, Some(_)) => Ok(Place::Nowhere),
        (None, None) => Err(Error::usage("neither a worktree nor a project is named")
            .hint("give 'worktree', the absolute path: git rev-parse --show-toplevel")),
    }
}

fn optional(worktree: Option<&str>) -> Place<'_> {
    worktree.map_or(Place::Nowhere, Place::Worktree)
}

/// Returns a context of its own for one who stands there.
fn enter(seed: &Context, place: Place<'_>) -> Result<Context> {
    let folder = match place {
        Place::Worktree(path) => absolute(path)?,
        // Where the server was started says nothing about the call.
        Place::Nowhere => PathBuf::from("/"),
    };
    if !folder.is_dir() {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no folder '{}'", folder.display()))
            .hint("give 'worktree', the absolute path: git rev-parse --show-toplevel"));
    }
    Ok(seed.standing_in(Some(folder)))
}

/// Returns the path, which must not depend on where the server was started.
pub(super) fn absolute(path: &str) -> Result<PathBuf> {
    if path.contains('\0') || !Path::new(path).is_absolute() {
        return Err(Error::usage(format!("'{}' is not an absolute path", path.escape_debug()))
            .hint("the path of a worktree: git rev-parse --show-toplevel"));
    }
    Ok(PathBuf::from(path))
}
