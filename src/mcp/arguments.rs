//! What the tools are called with. The first line above a field is what an agent reads of it.

use schemars::JsonSchema;
use serde::Deserialize;

/// Which allocations are listed.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scope {
    #[default]
    Worktree,
    Project,
    All,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetPort {
    /// Absolute path of your worktree.
    pub(super) worktree: Option<String>,
    /// Instead of a worktree: the name of another project, whose service is meant.
    pub(super) project: Option<String>,
    /// The service; without one the worktree's primary one, which PORT stands for.
    pub(super) service: Option<String>,
    /// dev (if nothing is said), test or production.
    pub(super) environment: Option<String>,
    /// false: allocate nothing, and fail if there is no port yet.
    pub(super) allocate: Option<bool>,
    /// Your conversation or task, to be noted.
    pub(super) session: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AllocatePort {
    /// Absolute path of your worktree.
    pub(super) worktree: Option<String>,
    /// Instead of a worktree: the project, for a service that belongs to no worktree.
    pub(super) project: Option<String>,
    /// The services; without any, those the project has configured.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub(super) services: Vec<String>,
    /// dev (if nothing is said), test or production.
    pub(super) environment: Option<String>,
    /// It must be this port, or the call fails. Only with one service; seldom needed.
    #[schemars(range(min = 1))]
    pub(super) port: Option<u16>,
    /// This port, or else the next free one. Only with one service; seldom needed.
    #[schemars(range(min = 1))]
    pub(super) prefer: Option<u16>,
    /// tcp (if nothing is said) or udp.
    pub(super) protocol: Option<String>,
    /// What it is for.
    pub(super) description: Option<String>,
    /// The kind of service: web, api, db.
    #[serde(rename = "type")]
    pub(super) service_type: Option<String>,
    /// The name it is reached by from outside.
    pub(super) public_hostname: Option<String>,
    /// Your conversation or task, to be noted.
    pub(super) session: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListPorts {
    /// Absolute path of your worktree; needed for the scopes worktree and project.
    pub(super) worktree: Option<String>,
    /// Instead of a worktree: a project by its name.
    pub(super) project: Option<String>,
    /// worktree (if nothing is said), project or all.
    #[serde(default)]
    pub(super) scope: Scope,
    /// Only in this environment: dev, test, production.
    pub(super) environment: Option<String>,
    /// Only in this state: allocated, active, foreign, orphaned, released, unknown.
    pub(super) state: Option<String>,
    /// Only what this conversation or task asked for.
    pub(super) session: Option<String>,
    /// true: released ones, too.
    #[serde(default)]
    pub(super) released: bool,
    /// How many at most; 50 if nothing is said, never more than 200.
    #[schemars(range(min = 1, max = 200))]
    pub(super) limit: Option<usize>,
    /// The `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditPorts {
    /// How many findings at most; 50 if nothing is said, never more than 200.
    #[schemars(range(min = 1, max = 200))]
    pub(super) limit: Option<usize>,
    /// The `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PortSummary {
    /// Absolute path of your worktree: the summary is of its project.
    pub(super) worktree: Option<String>,
    /// Instead of a worktree: a project by its name.
    pub(super) project: Option<String>,
    /// Only the ranges of this environment: dev, test, production.
    pub(super) environment: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleasePort {
    /// Absolute path of the worktree whose ports are meant.
    pub(super) worktree: Option<String>,
    /// Instead of a worktree: the project, for services that belong to no worktree.
    pub(super) project: Option<String>,
    /// These ports.
    #[serde(default)]
    #[schemars(length(max = 100), inner(range(min = 1)))]
    pub(super) ports: Vec<u16>,
    /// These services.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub(super) services: Vec<String>,
    /// true: all ports of the worktree.
    #[serde(default)]
    pub(super) all: bool,
    /// Only in this environment: dev, test, production.
    pub(super) environment: Option<String>,
    /// true: do it. Without it nothing changes, and the answer says what would.
    #[serde(default)]
    pub(super) confirm: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdatePort {
    /// Absolute path of the worktree whose port it is.
    pub(super) worktree: Option<String>,
    /// Instead of a worktree: the project, for a service that belongs to no worktree.
    pub(super) project: Option<String>,
    /// The port.
    #[schemars(range(min = 1))]
    pub(super) port: u16,
    /// tcp (if nothing is said) or udp.
    pub(super) protocol: Option<String>,
    /// What it is for; an empty text removes what was noted.
    pub(super) description: Option<String>,
    /// The kind of service: web, api, db.
    #[serde(rename = "type")]
    pub(super) service_type: Option<String>,
    /// The name it is reached by from outside.
    pub(super) public_hostname: Option<String>,
    /// Another name for the service.
    pub(super) service: Option<String>,
    /// true: no cleanup releases it; false: one may.
    pub(super) pinned: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckPort {
    /// The ports.
    #[schemars(length(min = 1, max = 100), inner(range(min = 1)))]
    pub(super) ports: Vec<u16>,
    /// tcp (if nothing is said) or udp.
    pub(super) protocol: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateWorktree {
    /// Absolute path of any worktree of the repository.
    pub(super) worktree: String,
    /// The branch: one that exists is checked out, any other is made.
    pub(super) branch: String,
    /// Absolute path for the new worktree; without one it stands beside the main worktree.
    pub(super) path: Option<String>,
    /// What a new branch starts from; HEAD if nothing is said.
    pub(super) from: Option<String>,
    /// Services it is to have besides the configured ones.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub(super) services: Vec<String>,
    /// The environment of its ports; dev if nothing is said.
    pub(super) environment: Option<String>,
    /// Your conversation or task, to be noted.
    pub(super) session: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveWorktree {
    /// Absolute path of the worktree to remove.
    pub(super) worktree: String,
    /// true: delete its branch, too, if it is merged.
    #[serde(default)]
    pub(super) delete_branch: bool,
    /// true: do it. Without it nothing changes, and the answer says what would.
    #[serde(default)]
    pub(super) confirm: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CleanupPorts {
    /// true: do it. Without it nothing changes, and the answer says what would.
    #[serde(default)]
    pub(super) confirm: bool,
}
