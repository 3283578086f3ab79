//! The revisions of the protocol, the list of tools and their schemas.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use git_port::ops::catalogue::{Effect, OPERATIONS};
use serde_json::{Value, json};

use super::{Session, text};
use crate::support::TestEnv;

const REVISIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
const NEWEST: &str = "2026-07-28";

fn tools(session: &mut Session) -> Vec<Value> {
    session.ask("tools/list", &json!({}))["result"]["tools"].as_array().unwrap().clone()
}

#[test]
fn every_revision_is_spoken() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let here = json!({ "worktree": text(&repo) });
    let mut ports = BTreeSet::new();
    for revision in REVISIONS {
        let mut session = Session::open(&env, &env.root(), revision);
        assert_eq!(tools(&mut session).len(), 11);
        ports.insert(session.ok("get-port", &here)["allocations"][0]["port"].as_u64().unwrap());
        assert!(session.ask("ping", &json!({}))["result"].is_object());
        assert_eq!(session.end(), Some(0));
    }
    // The newest one has no hello: each request says for itself what it speaks.
    let mut session = Session::start(&env, &env.root());
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": NEWEST,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    });
    let call = json!({ "name": "get-port", "arguments": here, "_meta": meta });
    let called = session.ask("tools/call", &call)["result"].clone();
    assert_eq!(called["resultType"], "complete", "{called}");
    ports.insert(called["structuredContent"]["allocations"][0]["port"].as_u64().unwrap());
    let found = session.ask("server/discover", &json!({ "_meta": meta }))["result"].clone();
    let supported: Vec<&str> =
        found["supportedVersions"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert!(REVISIONS.iter().chain([&NEWEST]).all(|one| supported.contains(one)), "{found}");
    let listed = session.ask("tools/list", &json!({ "_meta": meta }))["result"].clone();
    assert!(listed["ttlMs"].is_u64() && listed["cacheScope"] == "public", "{listed}");
    assert_eq!(session.end(), Some(0));
    assert_eq!(ports.len(), 1, "the same worktree has the same port");
}

#[test]
fn the_tools_do_what_the_table_of_operations_says() {
    let env = TestEnv::new();
    let mut session = Session::open(&env, &env.root(), REVISIONS[3]);
    let tools = tools(&mut session);
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let offered: Vec<&str> = OPERATIONS.iter().filter_map(|one| one.mcp).collect();
    assert_eq!(names, offered);
    for (tool, operation) in tools.iter().zip(OPERATIONS.iter().filter(|one| one.mcp.is_some())) {
        let hints = &tool["annotations"];
        assert_eq!(hints["readOnlyHint"], operation.effect == Effect::Reads, "{tool}");
        assert_eq!(hints["destructiveHint"], operation.effect == Effect::Destroys);
        assert_eq!(hints["idempotentHint"], operation.idempotent);
        assert_eq!(hints["openWorldHint"], false);
        let told = tool["description"].as_str().unwrap();
        assert!(told.len() < 260 && told.ends_with('.'), "{told}");
        let confirms = tool["inputSchema"]["properties"]["confirm"].is_object();
        assert_eq!(confirms, operation.effect == Effect::Destroys, "{tool}");
        assert!(tool["inputSchema"]["properties"]["force"].is_null(), "none forces");
    }
}

#[test]
fn the_schemas_are_in_words_that_every_client_knows() {
    let env = TestEnv::new();
    let mut session = Session::open(&env, &env.root(), REVISIONS[3]);
    for tool in tools(&mut session) {
        for name in ["inputSchema", "outputSchema"] {
            let schema = &tool[name];
            assert_eq!(schema["type"], "object", "{schema}");
            look_through(schema, name == "inputSchema", &tool["name"]);
        }
        assert_eq!(tool["outputSchema"]["properties"]["warnings"]["type"], "array");
    }
}

fn look_through(schema: &Value, input: bool, tool: &Value) {
    let known = [
        "additionalProperties",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "properties",
        "required",
        "type",
        "anyOf",
    ];
    for (key, value) in schema.as_object().unwrap() {
        assert!(known.contains(&key.as_str()), "{tool}: {key}");
        assert!(!input || key != "anyOf", "{tool}: {schema}");
        match key.as_str() {
            "format" => assert_eq!(value, "date-time", "{tool}"),
            "type" => assert!(!input || value.is_string(), "{tool}: {schema}"),
            "properties" => {
                assert_eq!(schema["additionalProperties"], false, "{tool}: {schema}");
                for (name, property) in value.as_object().unwrap() {
                    assert!(!input || property["description"].is_string(), "{tool}: {name}");
                    look_through(property, input, tool);
                }
            }
            "items" => look_through(value, input, tool),
            _ => {}
        }
    }
}

#[test]
fn the_table_of_the_documentation_is_the_list_of_tools() {
    let env = TestEnv::new();
    let mut session = Session::open(&env, &env.root(), REVISIONS[3]);
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/agents.md")).unwrap();
    for tool in tools(&mut session) {
        let hints = &tool["annotations"];
        let does = if hints["readOnlyHint"] == true {
            "reads"
        } else if hints["destructiveHint"] == true {
            "destroys; a preview unless `confirm`"
        } else {
            "writes"
        };
        let arguments: Vec<String> = tool["inputSchema"]["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(|name| format!("`{name}`"))
            .collect();
        let row = format!("| `{}` | {does} | {} |", tool["name"].as_str().unwrap(), arguments.join(", "));
        assert!(text.contains(&row), "not in docs/agents.md:\n{row}");
    }
}

#[test]
fn resources_are_the_ports_of_worktrees() {
    let env = TestEnv::new();
    let repo = env.repo("a shop & more");
    env.ok(&repo, "allocate web");
    env.ok(&repo, "worktree create topic");
    let mut session = Session::open(&env, &env.root(), REVISIONS[2]);
    let listed = session.ask("resources/list", &json!({}))["result"]["resources"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    let uri = listed[0]["uri"].as_str().unwrap();
    assert!(uri.ends_with("/a%20shop%20%26%20more"), "{uri}");
    let read = session.ask("resources/read", &json!({ "uri": uri }))["result"]["contents"][0].clone();
    let object: Value = serde_json::from_str(read["text"].as_str().unwrap()).unwrap();
    assert_eq!(object["allocations"][0]["service"], "web");
    for wrong in ["git-port://worktree/nowhere/at/all", "file:///etc/passwd", "git-port://worktree/%zz", ""] {
        let error = session.ask("resources/read", &json!({ "uri": wrong }))["error"].clone();
        assert_eq!(error["code"], -32002, "{wrong}: {error}");
    }
    let templates = session.ask("resources/templates/list", &json!({}))["result"].clone();
    assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "git-port://worktree{+path}");
}
