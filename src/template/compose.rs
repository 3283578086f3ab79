//! What a Compose file publishes, and the override that publishes it on the worktree's ports.
//!
//! The file is read and never rewritten. In an override `ports` is merged by appending, which would leave
//! the old port published, so the list carries `!override` (Compose 2.24.4; Compose Specification, merge).

pub mod file;

use serde::Serialize;

use self::file::Published;
use super::render::Values;
use super::variables::{TemplateError, printable};
use crate::registry::ServiceName;
use crate::registry::scope::folder_slug;

/// What the override says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Override {
    /// The project's name where `COMPOSE_PROJECT_NAME` is not set.
    pub name: String,
    /// The services whose ports it replaces.
    pub services: Vec<OverriddenService>,
    /// What the user should know.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// A service of the Compose file, with its ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverriddenService {
    /// Its name in the Compose file.
    pub name: String,
    /// The list, in Compose's short syntax.
    pub ports: Vec<String>,
}

/// Returns the override for the services of this Compose file. `label` is what an error calls it.
/// `configured` says whether the values' services are those of a configuration.
pub fn from_file(
    label: &str,
    text: &str,
    values: &Values,
    configured: bool,
) -> Result<Override, TemplateError> {
    let file = file::parse(label, text)?;
    let mut found = Override { name: project_name(values), ..Override::default() };
    let mut first = true;
    for (name, service) in file.services {
        if service.ports.is_empty() {
            continue;
        }
        let published = service.ports.into_iter().collect::<Option<Vec<_>>>();
        let Some(published) = published.filter(|_| is_service_name(&name)) else {
            found.notes.push(format!(
                "the service '{}' of '{label}' is left as it is: its name or what it publishes (a range?) is of \
                 no known form",
                printable(&name)
            ));
            continue;
        };
        let own = values.services.iter().find(|service| service.name == name);
        let stem = ServiceName::from_text(&name).variable_stem();
        let (variable, port) = match own {
            Some(service) => (service.variable.clone(), service.port),
            // Nothing is configured: the first one is what `PORT` is for.
            None if !configured && first => ("PORT".to_owned(), values.primary.port),
            None => (format!("{stem}_PORT"), None),
        };
        if own.is_none() && (configured || !first) {
            found.notes.push(format!(
                "the service '{name}' of '{label}' has no port of its own yet: add '[services.{}]' to \
                 '.git-port.toml'",
                ServiceName::from_text(&name)
            ));
        }
        first = false;
        let ports = published.iter().enumerate().map(|(index, published)| {
            let container = published.container.as_str();
            if index == 0 {
                return published.on(&variable, port.map(|port| port.to_string()));
            }
            published.on(&format!("{stem}_{}_PORT", slug(container)), None)
        });
        found.services.push(OverriddenService { name, ports: ports.collect() });
    }
    if found.services.is_empty() {
        return Err(TemplateError::new(format!(
            "'{}' publishes no ports that could be moved",
            printable(label)
        ))
        .hint("give a service 'ports:', as \"3000:3000\""));
    }
    Ok(found)
}

/// Returns an override for the services that are known, where there is no Compose file yet.
pub fn from_services(values: &Values) -> Override {
    let services = values.services.iter().map(|service| {
        let published = Published { host: None, container: service.default_port.to_string(), protocol: None };
        let port = service.port.unwrap_or(service.default_port).to_string();
        OverriddenService {
            name: service.name.clone(),
            ports: vec![published.on(&service.variable, Some(port))],
        }
    });
    Override { name: project_name(values), services: services.collect(), notes: Vec::new() }
}

/// Returns a project's name as Compose takes it: `[a-z0-9][a-z0-9_-]*`. For the main worktree it is the
/// name that Compose would have chosen, so that its volumes stay.
fn project_name(values: &Values) -> String {
    let slug = |text: &str| folder_slug(text).to_ascii_lowercase().replace('.', "-");
    let (project, worktree) = (slug(&values.project), slug(&values.worktree));
    // Most folders of worktrees are called `{project}-{branch}`.
    let says_it = worktree == project || worktree.starts_with(&format!("{project}-"));
    let name = if says_it { worktree } else { format!("{project}-{worktree}") };
    name.trim_start_matches(['-', '_']).to_owned()
}

/// The Compose Specification has no others; a terminal is to see no others, either.
fn is_service_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn slug(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::template::render::samples::values;
    use proptest::prelude::*;

    fn ports(text: &str) -> Vec<(String, Vec<String>)> {
        let found = from_file("compose.yaml", text, &values(3, true), true).unwrap();
        found.services.into_iter().map(|service| (service.name, service.ports)).collect()
    }

    #[test]
    fn every_form_of_a_port_is_read() {
        let text = r#"
x-base: &base
  ports: ["9000:9000"]
services:
  web:
    image: x
    ports:
      - "3000:3000"
      - 9229
      - "${ADMIN:-3100}:3100"
      - "53:53/udp"
  api: { ports: [ { target: 8000, published: "8000", protocol: tcp, mode: host } ] }
  db: { ports: [ "0.0.0.0:5432:5432" ] }
  worker: { image: x }
  empty:
  minio:
    <<: *base
"#;
        let entry = |name: &str, ports: &[&str]| {
            (name.to_owned(), ports.iter().map(|port| (*port).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            ports(text),
            [
                entry(
                    "web",
                    &[
                        "127.0.0.1:${WEB_PORT:-8001}:3000",
                        "127.0.0.1:${WEB_9229_PORT:-}:9229",
                        "127.0.0.1:${WEB_3100_PORT:-3100}:3100",
                        "127.0.0.1:${WEB_53_PORT:-53}:53/udp",
                    ]
                ),
                entry("api", &["127.0.0.1:${API_PORT:-8002}:8000"]),
                entry("db", &["127.0.0.1:${DB_PORT:-8003}:5432"]),
                entry("minio", &["127.0.0.1:${MINIO_PORT:-9000}:9000"]),
            ]
        );
    }

    #[test]
    fn what_cannot_be_moved_is_told() {
        let text = "services:\n  web: { ports: ['3000-3005:3000-3005'] }\n  api: { ports: ['80:80'] }\n";
        let found = from_file("compose.yaml", text, &values(2, true), true).unwrap();
        assert_eq!(found.services.len(), 1);
        assert!(found.notes[0].starts_with("the service 'web' of 'compose.yaml' is left as it is"));
        let found = from_file("c", "services: { x: { ports: ['80:80'] } }", &values(1, true), true).unwrap();
        assert!(found.notes[0].contains("[services.x]"), "{:?}", found.notes);
        for text in [
            "",
            "services: {}\n",
            "services:\n  web: { image: x }\n",
            "services:\n  web: { ports: ['$(x):1'] }\n",
        ] {
            let error = from_file("compose.yaml", text, &values(1, true), true).unwrap_err();
            assert!(error.message.contains("'compose.yaml'"), "{error}");
        }
        let error = from_file("c.yaml", "services:\n  web: [\n", &values(1, true), true).unwrap_err();
        assert!(error.message.starts_with("cannot read 'c.yaml'"), "{error}");
    }

    #[test]
    fn without_configuration_the_first_service_has_the_port() {
        let text = "services: { zed: { ports: ['80:80'] }, app: { ports: ['81:81'] } }";
        let found = from_file("c", text, &values(1, true), false).unwrap();
        assert_eq!(found.services[0].ports, ["127.0.0.1:${PORT:-8001}:80"]);
        assert_eq!(found.services[1].ports, ["127.0.0.1:${APP_PORT:-81}:81"]);
    }

    #[test]
    fn names_are_as_compose_takes_them() {
        let mut values = values(1, true);
        for (project, worktree, name) in [
            ("shop", "shop", "shop"),
            ("shop", "feature-api", "shop-feature-api"),
            ("Shop.io", "V1.2", "shop-io-v1-2"),
            ("shop", "shop-topic", "shop-topic"),
        ] {
            project.clone_into(&mut values.project);
            worktree.clone_into(&mut values.worktree);
            assert_eq!(project_name(&values), name);
        }
    }

    proptest! {
        #[test]
        fn no_file_is_too_damaged(text in "\\PC{0,60}|services:[a-z\\-: {}\\[\\]\n'&*<$0-9]{0,60}") {
            let _ = from_file("c", &text, &values(3, true), true);
        }

        #[test]
        fn an_entry_cannot_leave_its_quotes(port in "\\PC{0,20}") {
            if let Some(published) = Published::of_text(&port) {
                let text = published.on("WEB_PORT", None);
                prop_assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "${}_:-./".contains(c)), "{text}");
            }
        }

        #[test]
        fn any_project_has_a_name(project in any::<String>(), worktree in any::<String>()) {
            let mut values = values(1, true);
            values.project = crate::registry::ProjectName::from_folder(&project).to_string();
            values.worktree = folder_slug(&worktree);
            let name = project_name(&values);
            prop_assert!(name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()), "{name}");
            prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b)), "{name}");
        }
    }
}
