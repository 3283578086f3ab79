//! What a user can do, at a glance: what each operation does to the registry, and who offers it. A front
//! end that says beforehand what a request will do (a tool's annotations, a page's methods) asks here.

/// What an operation may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing that anybody recorded.
    Reads,
    /// It adds or changes, and takes nothing away.
    Writes,
    /// It takes something away: a port, a worktree, a record.
    Destroys,
}

/// An operation, and who offers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name: a file in `src/ops`, where the file holds several followed by which one.
    pub name: &'static str,
    /// What it may do.
    pub effect: Effect,
    /// Whether the same request a second time changes nothing more.
    pub idempotent: bool,
    /// The commands that are this operation.
    pub cli: &'static [&'static str],
    /// The MCP tool that is this operation.
    pub mcp: Option<&'static str>,
    /// Whether the local page offers it.
    pub web: bool,
}

impl Operation {
    /// The local page offers it, too.
    const fn on_page(self) -> Self {
        Self { web: true, ..self }
    }
}

use Effect::{Destroys, Reads, Writes};

const fn operation(
    name: &'static str,
    effect: Effect,
    cli: &'static [&'static str],
    mcp: Option<&'static str>,
) -> Operation {
    Operation { name, effect, idempotent: true, cli, mcp, web: false }
}

/// Every operation, in the order in which they are offered.
///
/// Whatever allocates what is missing writes, though most of the time it finds all there.
pub const OPERATIONS: &[Operation] = &[
    operation("env get", Writes, &["get", "url", "open"], Some("get-port")),
    operation("allocate", Writes, &["allocate"], Some("allocate-port")).on_page(),
    operation("list", Reads, &["list"], Some("list-ports")).on_page(),
    operation("audit", Reads, &["audit"], Some("audit-ports")).on_page(),
    operation("stats", Reads, &["stats", "summary"], Some("port-summary")).on_page(),
    operation("release", Destroys, &["release"], Some("release-port")).on_page(),
    operation("update", Writes, &["update"], Some("update-port")).on_page(),
    operation("check", Reads, &["check"], Some("check-port")).on_page(),
    Operation {
        idempotent: false,
        ..operation("worktree create", Writes, &["worktree create"], Some("create-worktree"))
    },
    Operation {
        idempotent: false,
        ..operation("worktree remove", Destroys, &["worktree remove"], Some("remove-worktree"))
    },
    operation("cleanup", Destroys, &["cleanup"], Some("cleanup-ports")).on_page(),
    operation("worktree list", Reads, &["worktree list", "worktree path"], None),
    Operation {
        idempotent: false,
        ..operation(
            "worktree follow",
            Destroys,
            &[
                "worktree add",
                "worktree move",
                "worktree lock",
                "worktree unlock",
                "worktree prune",
                "worktree repair",
            ],
            None,
        )
    },
    operation("env", Writes, &["env"], None),
    Operation { idempotent: false, ..operation("run", Writes, &["run"], None) },
    operation("template", Writes, &["template"], None),
    operation("trust", Writes, &["trust"], None),
    operation("health", Reads, &["health"], None).on_page(),
    operation("history", Reads, &["history"], None).on_page(),
    operation("range", Destroys, &["range list", "range set", "range unset", "reserve", "unreserve"], None)
        .on_page(),
    Operation { idempotent: false, ..operation("registry", Destroys, &["registry move"], None) },
    operation("import", Destroys, &["import"], None),
    operation("export", Reads, &["export"], None),
    operation("init", Writes, &["init"], None),
    operation("suggest", Reads, &["suggest"], None),
    operation("explain", Reads, &["explain"], None),
    operation("doctor", Writes, &["doctor"], None),
    operation("hook", Writes, &["hook install", "hook uninstall", "hook status"], None),
    operation("integrate", Writes, &["integrate"], None),
    operation("agent", Destroys, &[], None),
    operation("watch", Destroys, &["watch"], None),
    operation("service", Writes, &[], None),
    Operation { idempotent: false, ..operation("dashboard", Writes, &["dashboard"], None) },
];

/// What stands in `src/ops` and is no operation: parts that operations share.
pub const PARTS: &[&str] = &[
    "adopt",
    "at_hand",
    "catalogue",
    "copies",
    "discover",
    "followers",
    "machine",
    "names",
    "pending",
    "recovery",
    "standing",
    "wiring",
];

/// Returns the operation that this MCP tool is.
pub fn find_tool(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.mcp == Some(name))
}
