//! The override for Compose, merged as the Compose Specification says it is.
//!
//! <https://github.com/compose-spec/compose-spec/blob/main/13-merge.md>: mappings are merged, sequences are
//! appended, `ports` without those that are in both, and a sequence tagged `!override` stands in the place
//! of the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::write;
use crate::support::TestEnv;

const BASE: &str = "name: shop
services:
  web:
    build: .
    ports: ['3000:3000', '9229:9229']
    environment: [\"PORT=3000\"]
  api:
    image: shop-api
    ports:
      - target: 8000
        published: '8000'
        protocol: tcp
  db:
    image: postgres:17
    ports: ['${DB_PORT:-5432}:5432']
  worker:
    image: shop-api
";

/// A port that is published: address, port of this machine, port of the container, protocol.
type Published = (String, String, String, String);

/// Puts in variables as Compose does, for the one form that occurs.
fn interpolated(text: &str, variables: &BTreeMap<String, String>) -> String {
    let Some((before, rest)) = text.split_once("${") else { return text.to_owned() };
    let (inner, after) = rest.split_once('}').unwrap();
    let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
    let value = variables.get(name).map_or(default, String::as_str);
    format!("{before}{value}{}", interpolated(after, variables))
}

fn published(entry: &Value, variables: &BTreeMap<String, String>) -> Published {
    if let Some(long) = entry.as_object() {
        let text =
            |key: &str| long.get(key).map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
        let [address, host, target, protocol] = ["host_ip", "published", "target", "protocol"].map(text);
        return (
            address.unwrap_or_default(),
            host.unwrap_or_default(),
            target.unwrap(),
            protocol.unwrap_or("tcp".to_owned()),
        );
    }
    let text = interpolated(entry.as_str().unwrap(), variables);
    let (text, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
    let parts: Vec<&str> = text.split(':').collect();
    let (address, host, target) = match parts[..] {
        [address, host, target] => (address, host, target),
        [host, target] => ("", host, target),
        _ => panic!("{text}"),
    };
    (address.to_owned(), host.to_owned(), target.to_owned(), protocol.to_owned())
}

/// Merges two files. `replaces` says which sequence is tagged `!override`, by its service.
fn merged(
    base: &Map<String, Value>,
    over: &Map<String, Value>,
    replaces: &dyn Fn(&str) -> bool,
) -> Map<String, Value> {
    let mut all = base.clone();
    for (key, value) in over.iter().filter(|(key, _)| *key != "services") {
        all.insert(key.clone(), value.clone());
    }
    let services = all["services"].as_object_mut().unwrap();
    for (name, service) in over["services"].as_object().unwrap() {
        let own = services.entry(name).or_insert_with(|| Value::Object(Map::new())).as_object_mut().unwrap();
        for (key, value) in service.as_object().unwrap() {
            match (own.get_mut(key).and_then(Value::as_array_mut), value.as_array()) {
                (Some(list), Some(more)) if !replaces(name) => list.extend(more.iter().cloned()),
                _ => _ = own.insert(key.clone(), value.clone()),
            }
        }
    }
    all
}

fn yaml(text: &str) -> Map<String, Value> {
    serde_saphyr::from_str::<Value>(text).unwrap().as_object().unwrap().clone()
}

fn all_published(
    file: &Map<String, Value>,
    variables: &BTreeMap<String, String>,
) -> BTreeSet<(String, Published)> {
    let services = file["services"].as_object().unwrap();
    let ports = |(name, service): (&String, &Value)| {
        let ports = service.get("ports").and_then(Value::as_array).cloned().unwrap_or_default();
        ports.into_iter().map(move |port| (name.clone(), published(&port, variables))).collect::<Vec<_>>()
    };
    services.iter().flat_map(ports).collect()
}

#[test]
fn merged_by_the_rules_each_worktree_publishes_its_own_ports_and_no_other() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    write(repo.join("compose.yaml"), BASE);
    env.ok(&repo, "init");
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "--quiet", "-m", "ports"]);
    env.ok(&repo, "worktree create topic");
    let topic = env.root().join("shop-topic");
    let base = yaml(BASE);
    let look = |tree: &Path, with_variables: bool| {
        env.ok(tree, "template docker-compose --write");
        let text = fs::read_to_string(tree.join("compose.override.yaml")).unwrap();
        let over = yaml(&text);
        let variables: BTreeMap<String, String> = env.json(tree, "env --format json")["variables"]
            .as_object()
            .map(|all| {
                all.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
            })
            .filter(|_| with_variables)
            .unwrap_or_default();
        let tagged = |name: &str| {
            let service = text.split(&format!("  \"{name}\":\n")).nth(1).unwrap();
            service.starts_with("    ports: !override\n")
        };
        let whole = merged(&base, &over, &tagged);
        // Without the tag the old ports would stay published beside the new ones: that is what it is for.
        let appended = all_published(&merged(&base, &over, &|_| false), &variables);
        assert!(appended.iter().any(|(_, port)| port.1 == "3000"), "{appended:?}");
        let name = interpolated(whole["name"].as_str().unwrap(), &variables);
        (whole.clone(), all_published(&whole, &variables), name)
    };
    let mut seen = BTreeSet::new();
    for (tree, name) in [(&repo, "shop"), (&topic, "shop-topic")] {
        for with_variables in [true, false] {
            let (whole, ports, project) = look(tree, with_variables);
            assert_eq!(project, name, "each worktree has containers of its own");
            let listed = env.json(tree, "list --worktree");
            let of = |service: &str| {
                let all = listed["allocations"].as_array().unwrap();
                all.iter().find(|one| one["service"] == service).unwrap()["port"].to_string()
            };
            for (service, target) in [("web", "3000"), ("api", "8000"), ("db", "5432")] {
                let wanted = ("127.0.0.1".to_owned(), of(service), target.to_owned(), "tcp".to_owned());
                assert!(ports.contains(&(service.to_owned(), wanted)), "{service}: {ports:?}");
                let count = ports.iter().filter(|(name, port)| name == service && port.2 == target).count();
                assert_eq!(count, 1, "{service}: {ports:?}");
            }
            // What the override does not name is as it was.
            assert_eq!(whole["services"]["worker"], base["services"]["worker"]);
            assert_eq!(whole["services"]["web"]["environment"], base["services"]["web"]["environment"]);
            seen.extend(ports.iter().map(|(_, port)| port.1.clone()).filter(|port| port != "9229"));
        }
    }
    assert_eq!(seen.len(), 6, "three services in two worktrees, and no port twice: {seen:?}");
}
