//! Where each tool that works in worktrees looks for what git-port has to tell it, and what is to stand there.

use super::block::Comment;
use super::merge::Edit;

/// A tool, and what is to stand in its files.
#[derive(Debug)]
pub struct Integration {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What else people may call it there.
    pub also: &'static [&'static str],
    /// What people call it, and what it gets.
    pub about: &'static str,
    /// Its files, from the top of the worktree.
    pub files: &'static [Part],
}

/// One file of a tool.
#[derive(Debug)]
pub struct Part {
    /// The file that is made if there is none.
    pub file: &'static str,
    /// Other names it may have; the first that is there is taken.
    pub others: &'static [&'static str],
    /// What it is for.
    pub about: &'static str,
    /// What is to stand in it.
    pub edits: &'static [Edit],
}

const SERVER: &str = r#"{"command": "git-port", "args": ["mcp"]}"#;
const TYPED_SERVER: &str = r#"{"type": "stdio", "command": "git-port", "args": ["mcp"]}"#;

/// What every agent that reads instructions is told.
const SECTION: &str = "\
## Ports

Many worktrees of this repository are at work at the same time. Each has its own ports, from git-port.

- Start servers with `git port run -- <command>`, or on the port that `git port get` prints. Never hard-code a
  port, never guess one, never use a default such as 3000.
- `git port env --json` has all ports of this worktree; `git port get <service>` allocates another one and
  always prints the same for the same service. As an MCP tool: `get-port`.
- If a port seems to be taken: `git port check <port> --json`. Do not stop processes you did not start.
- Do not use `--force`, do not release ports of other worktrees, and do not run `git port cleanup`, unless you
  are asked to. What an error code means: `git port explain <code>`.
";

const MCP_IN_PROJECT: Part = Part {
    file: ".mcp.json",
    others: &[],
    about: "the MCP server, for everybody who works in the project",
    edits: &[Edit::Member(&["mcpServers", "git-port"], SERVER)],
};

/// Every tool that is known, by name.
pub const INTEGRATIONS: &[Integration] = &[
    Integration {
        name: "agents-md",
        also: &["agents", "agents.md"],
        about: "AGENTS.md: what every agent that reads it is to know",
        files: &[Part {
            file: "AGENTS.md",
            others: &["CLAUDE.md"],
            about: "the section about ports",
            edits: &[Edit::Block(Comment::Markup, SECTION)],
        }],
    },
    Integration {
        name: "claude",
        also: &["claude-code"],
        about: "Claude Code: hooks for sessions and worktrees, and the MCP server",
        files: &[
            Part {
                file: ".claude/settings.json",
                others: &[],
                about: "hooks: when a session begins, enters a worktree or removes one",
                edits: &[
                    Edit::Element {
                        path: &["hooks", "SessionStart"],
                        mark: "git-port hook claude session-start",
                        value: r#"{"hooks": [{"type": "command",
                            "command": "git-port hook claude session-start", "timeout": 10}]}"#,
                    },
                    Edit::Element {
                        path: &["hooks", "PostToolUse"],
                        mark: "git-port hook claude session-start",
                        value: r#"{"matcher": "EnterWorktree", "hooks": [{"type": "command",
                            "command": "git-port hook claude session-start", "timeout": 10}]}"#,
                    },
                    Edit::Element {
                        path: &["hooks", "WorktreeRemove"],
                        mark: "git-port hook claude worktree-remove",
                        value: r#"{"hooks": [{"type": "command",
                            "command": "git-port hook claude worktree-remove", "timeout": 10}]}"#,
                    },
                ],
            },
            MCP_IN_PROJECT,
        ],
    },
    Integration {
        name: "codex",
        also: &[],
        about: "Codex: the MCP server, the hook of its sessions, the setup of its worktrees",
        files: &[
            Part {
                file: ".codex/config.toml",
                others: &[],
                about: "the MCP server, and the hook when a session begins",
                edits: &[Edit::Tables(
                    "[mcp_servers.git-port]\ncommand = \"git-port\"\nargs = [\"mcp\"]\n\n\
                     [[hooks.SessionStart]]\n\n[[hooks.SessionStart.hooks]]\ntype = \"command\"\n\
                     command = \"git-port hook codex session-start\"\ntimeout = 10\n",
                )],
            },
            Part {
                file: ".codex/environments/environment.toml",
                others: &[],
                about: "the setup and cleanup of the app's worktrees",
                edits: &[
                    Edit::Script("setup", "script", "git-port hook codex setup"),
                    Edit::Script("cleanup", "script", "git-port hook codex archive"),
                ],
            },
        ],
    },
    Integration {
        name: "conductor",
        also: &[],
        about: "Conductor: the setup and archive scripts of its workspaces; its ports are adopted",
        files: &[Part {
            file: "conductor.json",
            others: &[],
            about: "the scripts",
            edits: &[
                Edit::Command(&["scripts", "setup"], "git-port hook conductor setup"),
                Edit::Command(&["scripts", "archive"], "git-port hook conductor archive"),
            ],
        }],
    },
    Integration {
        name: "cursor",
        also: &[],
        about: "Cursor: the setup of its worktrees, the hook of its sessions, the MCP server",
        files: &[
            Part {
                file: ".cursor/worktrees.json",
                others: &[],
                about: "the setup of a new worktree",
                edits: &[Edit::Element {
                    path: &["setup-worktree"],
                    mark: "git-port hook cursor setup",
                    value: r#""git-port hook cursor setup""#,
                }],
            },
            Part {
                file: ".cursor/hooks.json",
                others: &[],
                about: "the hook when a session begins",
                edits: &[
                    Edit::Member(&["version"], "1"),
                    Edit::Element {
                        path: &["hooks", "sessionStart"],
                        mark: "git-port hook cursor session-start",
                        value: r#"{"command": "git-port hook cursor session-start"}"#,
                    },
                ],
            },
            Part {
                file: ".cursor/mcp.json",
                others: &[],
                about: "the MCP server",
                edits: &[Edit::Member(&["mcpServers", "git-port"], SERVER)],
            },
        ],
    },
    Integration {
        name: "gemini",
        also: &["gemini-cli"],
        about: "Gemini CLI: the hook of its sessions, and the MCP server",
        files: &[Part {
            file: ".gemini/settings.json",
            others: &[],
            about: "the hook when a session begins, and the MCP server",
            edits: &[
                Edit::Element {
                    path: &["hooks", "SessionStart"],
                    mark: "git-port hook gemini session-start",
                    value: r#"{"hooks": [{"name": "git-port", "type": "command",
                        "command": "git-port hook gemini session-start", "timeout": 10000}]}"#,
                },
                Edit::Member(&["mcpServers", "git-port"], SERVER),
            ],
        }],
    },
    Integration {
        name: "gtr",
        also: &["git-worktree-runner"],
        about: "git-worktree-runner: the hooks of its worktrees",
        files: &[Part {
            file: ".gtrconfig",
            others: &[],
            about: "the hooks; then 'git gtr trust'",
            edits: &[Edit::Block(
                Comment::Hash,
                "[hooks]\n\tpostCreate = git-port hook gtr setup\n\tpreRemove = git-port hook gtr archive\n",
            )],
        }],
    },
    Integration {
        name: "opencode",
        also: &[],
        about: "opencode: the MCP server",
        files: &[Part {
            file: "opencode.json",
            others: &["opencode.jsonc", ".opencode/opencode.json", ".opencode/opencode.jsonc"],
            about: "the MCP server",
            edits: &[
                Edit::Member(&["$schema"], r#""https://opencode.ai/config.json""#),
                Edit::Member(
                    &["mcp", "git-port"],
                    r#"{"type": "local", "command": ["git-port", "mcp"], "enabled": true}"#,
                ),
            ],
        }],
    },
    Integration {
        name: "vscode",
        also: &["vs-code", "code"],
        about: "VS Code: the MCP server",
        files: &[Part {
            file: ".vscode/mcp.json",
            others: &[],
            about: "the MCP server",
            edits: &[Edit::Member(&["servers", "git-port"], TYPED_SERVER)],
        }],
    },
    Integration {
        name: "worktrunk",
        also: &["wt"],
        about: "worktrunk: the hooks of its worktrees",
        files: &[Part {
            file: ".config/wt.toml",
            others: &[],
            about: "the hooks",
            edits: &[
                Edit::Key("pre-start", "git-port", "git-port hook worktrunk setup"),
                Edit::Key("pre-remove", "git-port", "git-port hook worktrunk archive"),
            ],
        }],
    },
    Integration {
        name: "zed",
        also: &[],
        about: "Zed: the task of its new worktrees, and the MCP server",
        files: &[
            Part {
                file: ".zed/tasks.json",
                others: &[],
                about: "what runs in a new worktree",
                edits: &[Edit::Element {
                    path: &[],
                    mark: "git-port hook zed setup",
                    value: r#"{"label": "git-port", "command": "git-port hook zed setup",
                        "hooks": ["create_worktree"], "reveal": "never", "hide": "on_success"}"#,
                }],
            },
            Part {
                file: ".zed/settings.json",
                others: &[],
                about: "the MCP server",
                edits: &[Edit::Member(&["context_servers", "git-port"], SERVER)],
            },
        ],
    },
];
