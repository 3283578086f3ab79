//! The MCP server: tools and resources for agents, over standard input and output.
//!
//! It is a front end as `cli` is: a tool parses its arguments, calls one operation, and hands the outcome on as
//! the JSON that `--json` prints. What fails is a result that says so, never a protocol error, for only the
//! former reaches the agent. Standard output carries the protocol and nothing else.

mod arguments;
mod limit;
mod page;
mod resources;
mod schema;
mod tools;
mod work;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    JsonObject, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::io::stdio_pipes;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::Value;

use crate::api::json;
use crate::api::views::{ErrorView, Versioned};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use limit::Limit;
use tools::ToolEntry;

/// What every agent is told once.
const INSTRUCTIONS: &str = "git-port gives every git worktree its own ports. Before you start a server, call \
    get-port with the absolute path of your worktree (git rev-parse --show-toplevel) and use exactly the port \
    it returns; it stays the same. Never pick a port yourself, never use a port of another worktree, and do \
    not kill processes you did not start.";

/// How many operations run at once; the others wait. The registry lets one write at a time anyway.
const AT_ONCE: usize = 8;

/// How long a client may take the list of tools for granted, in milliseconds: as long as the program is the
/// same.
const TOOLS_HOLD: u64 = 3_600_000;

/// Answers one client on standard input and output until it hangs up.
pub fn serve(ctx: &Context) -> Result<()> {
    let failed = |what: &str| {
        let message = format!("cannot serve: {what}");
        Error::new(ErrorKind::Unavailable, message).hint("it talks to a program: see docs/agents.md")
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(AT_ONCE + 2).build();
    let runtime = runtime.map_err(|error| failed(&error.to_string()))?;
    let server = Server::new(ctx.standing_in(None));
    runtime.block_on(async {
        match server.serve(stdio_pipes()).await {
            Ok(running) => running.waiting().await.map(|_| ()).map_err(|error| failed(&error.to_string())),
            // Whoever hangs up before a word was said has not been failed.
            Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => Ok(()),
            Err(error) => Err(failed(&error.to_string())),
        }
    })
}

/// What all requests share.
struct Server {
    seed: Arc<Mutex<Context>>,
    tools: Arc<Vec<ToolEntry>>,
    limit: Mutex<Limit>,
}

impl Server {
    fn new(seed: Context) -> Self {
        Self {
            seed: Arc::new(Mutex::new(seed)),
            tools: Arc::new(tools::tools()),
            limit: Mutex::new(Limit::new(Instant::now())),
        }
    }

    /// Runs work that blocks where it may, with a context of its own.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Context) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let seed = Arc::clone(&self.seed);
        let run = tokio::task::spawn_blocking(move || {
            let own = seed.lock().unwrap_or_else(PoisonError::into_inner).standing_in(None);
            work(&own)
        });
        run.await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "git-port failed; please report this")))
    }

    /// An agent that calls without end is told to stop.
    fn admit(&self) -> Result<()> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now())
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        let name = Implementation::new("git-port", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(capabilities).with_server_info(name).with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools: Vec<Tool> = self.tools.iter().map(ToolEntry::tool).collect();
        let listed = ListToolsResult::with_all_items(tools).with_ttl_ms(TOOLS_HOLD);
        Ok(listed.with_cache_scope(CacheScope::Public))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.name == name).map(ToolEntry::tool)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(index) = self.tools.iter().position(|tool| tool.name == request.name) else {
            let message = format!("there is no tool '{}'", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let tools = Arc::clone(&self.tools);
        let arguments = request.arguments.unwrap_or_default();
        let answered = match self.admit() {
            Ok(()) => self.run(move |seed| tools[index].call(seed, arguments)).await,
            Err(error) => Err(error),
        };
        Ok(result(answered).into())
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.admit().map_err(|error| protocol(&error))?;
        let cursor = request.and_then(|request| request.cursor);
        self.run(move |seed| resources::list(seed, cursor.as_deref())).await.map_err(|error| protocol(&error))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(resources::templates().with_ttl_ms(TOOLS_HOLD).with_cache_scope(CacheScope::Public))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.admit().map_err(|error| protocol(&error))?;
        let uri = request.uri;
        let read = self.run(move |seed| resources::read(seed, &uri)).await;
        read.map(Into::into).map_err(|error| protocol(&error))
    }
}

/// Returns the answer as a client wants it: as an object, and as the same in text. A failure is text alone:
/// clients hold an object against the schema of the answer, also where the tool failed.
fn result(answered: Result<JsonObject>) -> CallToolResult {
    match answered {
        Ok(object) => {
            let text = json::render(&object);
            let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
            result.structured_content = Some(Value::Object(object));
            result
        }
        Err(error) => {
            let text = json::render(&Versioned::new(ErrorView::from(&error)));
            CallToolResult::error(vec![ContentBlock::text(text)])
        }
    }
}

/// A resource has no other way to say that it failed.
fn protocol(error: &Error) -> ErrorData {
    let data = serde_json::to_value(ErrorView::from(error)).ok();
    let message = error.full_message();
    match error.kind {
        ErrorKind::Usage | ErrorKind::NotFound | ErrorKind::NotARepository => {
            ErrorData::resource_not_found(message, data)
        }
        _ => ErrorData::internal_error(message, data),
    }
}
