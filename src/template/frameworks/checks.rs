//! Every built-in template, read by the parser of its format.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;
use crate::template::block;
use crate::template::render::render;
use crate::template::render::samples::values;
use crate::template::{TemplateError, Values};

fn text(name: &str, values: &Values) -> String {
    let framework = Framework::find(name).unwrap();
    let text =
        render(framework.name, framework.text, values).unwrap_or_else(|error| panic!("{name}: {error}"));
    framework.header(framework.file) + &text
}

/// All samples: one service and three, with and without ports.
fn samples() -> impl Iterator<Item = Values> {
    [(1, true), (3, true), (1, false), (3, false)].into_iter().map(|(count, ports)| values(count, ports))
}

/// Returns the text without the lines of comment that `//` begins.
fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_names_its_file_its_version_and_how_to_tell() {
    for framework in FRAMEWORKS {
        let name = framework.name;
        assert!(name.starts_with(|c: char| c.is_ascii_lowercase()));
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
        for line in [framework.about, framework.check] {
            assert!(
                !line.is_empty() && !line.contains('\n') && !line.ends_with('.') && !line.contains('|'),
                "{name}"
            );
        }
        for values in samples() {
            let text = text(name, &values);
            assert!(text.ends_with('\n') && !text.contains("\n\n\n"), "{name}:\n{text}");
            assert!(!text.contains("{{") && !text.contains("{%"), "{name}:\n{text}");
            if framework.comment != Comment::None {
                assert!(
                    text.contains(framework.check) && text.contains(&framework.tried()),
                    "{name}:\n{text}"
                );
                let block = block::wrap(framework.comment, &text).unwrap();
                assert!(matches!(block::find(framework.comment, block.as_bytes()), block::Found::Block(_)));
            }
        }
        assert_eq!(FRAMEWORKS.iter().filter(|other| other.name == name).count(), 1, "{name}");
    }
}

#[test]
fn snippets_hold_no_port_of_ours_but_the_local_ones() {
    for framework in FRAMEWORKS.iter().filter(|framework| framework.place != Place::Local) {
        for count in [1, 3] {
            let (with, without) =
                (text(framework.name, &values(count, true)), text(framework.name, &values(count, false)));
            assert_eq!(with, without, "{}", framework.name);
            assert!(!with.contains("8001"), "{with}");
        }
    }
}

#[test]
fn json_is_json() {
    for name in ["next", "angular", "storybook", "turborepo", "wrangler", "vscode"] {
        for values in samples() {
            let text = without_comments(&text(name, &values));
            let value: Value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
            if name == "vscode" {
                assert_eq!(value["version"], "2.0.0");
                let tasks = value["tasks"].as_array().unwrap();
                assert_eq!(tasks.len(), values.services.len());
                assert_eq!(tasks[0]["label"], "web");
            }
        }
    }
}

#[test]
fn lines_of_configuration_are_as_their_readers_want_them() {
    for values in samples() {
        assert!(text("spring", &values).ends_with("\nserver.port=${PORT:8080}\n"));
        assert!(text("direnv", &values).ends_with("\ndotenv_if_exists .git-port.env\n"));
        assert!(text("dotenv", &values).ends_with("\nPORT=8001\nWEB_PORT=8001\n"));
    }
}

#[derive(Debug, Deserialize)]
struct Compose {
    name: String,
    services: std::collections::BTreeMap<String, ComposeService>,
}

#[derive(Debug, Deserialize)]
struct ComposeService {
    ports: Vec<String>,
}

#[test]
fn the_override_replaces_the_ports_and_binds_them_to_this_machine() {
    for values in samples() {
        let text = text("docker-compose", &values);
        let file: Compose = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(file.name, "${COMPOSE_PROJECT_NAME:-shop-feature-api}");
        assert_eq!(file.services.len(), values.services.len());
        // One tag for each list: without it the list would be appended to the one of the base file.
        assert_eq!(text.matches("    ports: !override\n").count(), file.services.len(), "{text}");
        for service in &values.services {
            let ports = &file.services[&service.name].ports;
            let default = service.port.unwrap_or(service.default_port);
            let expected = format!("127.0.0.1:${{{}:-{default}}}:{}", service.variable, service.default_port);
            assert_eq!(*ports, [expected]);
        }
    }
}

#[test]
fn a_name_that_yaml_would_take_for_something_else_stays_a_name() {
    let mut values = values(1, true);
    let base =
        "services: { 'on': { ports: ['80:80'] }, '1': { ports: ['81:81'] }, 'null': { ports: ['82:82'] } }";
    values.compose = Some(crate::template::compose::from_file("c", base, &values, true).unwrap());
    let file: Compose = serde_saphyr::from_str(&text("docker-compose", &values)).unwrap();
    assert_eq!(file.services.keys().collect::<Vec<_>>(), ["1", "null", "on"]);
}

#[test]
fn yaml_is_read_within_limits() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
        d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
        g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nservices: *g\n";
    let found: Result<_, TemplateError> =
        crate::template::compose::from_file("compose.yaml", bomb, &values(1, true), true);
    assert!(found.is_err());
    assert!(serde_saphyr::from_str::<IgnoredAny>("a: [").is_err());
}
