//! Layers: the last one wins, key by key; and what is warned of.

use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::config::Environment;
use crate::registry::{EnvironmentName, ProjectName};

/// Every source there is, each absent until it is given.
struct Given {
    dir: TempDir,
    vars: Vec<(String, String)>,
    records: Vec<RangeRecord>,
    required: bool,
}

impl Given {
    fn nothing() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), vars: Vec::new(), records: Vec::new(), required: false }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(self, name: &str, text: &str) -> Self {
        files::replace(&self.path(name), text.as_bytes(), files::Access::Public).unwrap();
        self
    }

    fn user(self, text: &str) -> Self {
        self.file("config.toml", text)
    }

    fn worktree(self, text: &str) -> Self {
        self.file(".git-port.toml", text)
    }

    fn clone(self, text: &str) -> Self {
        self.file("git-port.toml", text)
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.into(), value.into()));
        self
    }

    fn record(mut self, name: &str, ranges: &[&str]) -> Self {
        let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
        self.records.push(RangeRecord::Environment(name.parse().unwrap(), ranges));
        self
    }

    fn load(&self) -> Result<Settings, ConfigError> {
        load(&Sources {
            environment: &Environment::from_vars(self.vars.iter().cloned()),
            user_file: Some(self.path("config.toml")),
            user_file_required: self.required,
            worktree_root: Some(self.dir.path()),
            common_dir: Some(self.dir.path()),
            registry_ranges: &self.records,
        })
    }
}

fn ranges(settings: &Settings, name: &str) -> String {
    let ranges = &settings.ranges[&name.parse::<EnvironmentName>().unwrap()];
    ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn service_name(name: &str) -> ServiceName {
    name.parse().unwrap()
}

#[test]
fn without_any_source_the_built_in_values_are_in_force() {
    let settings = Given::nothing().load().unwrap();
    assert_eq!(settings.project, None);
    assert_eq!(settings.services, []);
    assert_eq!(settings.derived, []);
    assert_eq!(settings.worktree.path, "../{project}-{branch}");
    assert_eq!(settings.worktree.fill, Fill::Auto);
    assert_eq!(ranges(&settings, "dev"), "8000-8999,20000-29999");
    assert_eq!(ranges(&settings, "test"), "7000-7999");
    assert_eq!(ranges(&settings, "production"), "9000-9999");
    assert!(!settings.allocation.random);
    let reserved: Vec<_> = settings.allocation.reserved.iter().map(ToString::to_string).collect();
    assert_eq!(reserved, ["3000", "5432", "8051", "8181", "3737"]);
    assert!(settings.cleanup.auto);
    assert_eq!(settings.cleanup.interval.as_hours(), 1);
    assert_eq!(settings.cleanup.older_than.as_hours(), 720);
    assert_eq!(settings.hook.repositories, HookRepositories::Configured);
    assert_eq!(settings.registry, None);
    assert!(!settings.configured);
    for (path, _) in BUILT_IN {
        assert_eq!(settings.origin(&path.join(".")), Some(&Origin::BuiltIn));
    }
    assert_eq!(settings.origin("project"), None);
}

#[test]
fn tables_merge_key_by_key_and_lists_are_replaced() {
    let given = Given::nothing()
        .user("[cleanup]\nauto = false\ninterval = '2h'\n[allocation]\nreserved = [1, 2]")
        .worktree("[cleanup]\ninterval = '3h'\n[allocation]\nreserved = [3]");
    let settings = given.load().unwrap();
    assert!(!settings.cleanup.auto);
    assert_eq!(settings.cleanup.interval.as_hours(), 3);
    assert_eq!(settings.allocation.reserved, ["3".parse().unwrap()]);
    assert_eq!(settings.origin("cleanup.auto"), Some(&Origin::File(given.path("config.toml"))));
    assert_eq!(settings.origin("cleanup.interval"), Some(&Origin::File(given.path(".git-port.toml"))));
    assert_eq!(settings.origin("cleanup.older_than"), Some(&Origin::BuiltIn));
    assert!(settings.configured);
}

#[test]
fn services_of_two_layers_merge_and_new_ones_come_last() {
    let settings = Given::nothing()
        .worktree("[services.web]\nprefer = 8000\ntype = 'web'\n[services.api]\n[env]\nB = '1'\nA = '2'")
        .clone(
            "[services.debug]\nvariables = 'DEBUG'\n[services.web]\nprefer = 8080\n[env]\nC = '3'\nB = '4'",
        )
        .load()
        .unwrap();
    let names: Vec<_> = settings.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["web", "api", "debug"]);
    let web = settings.service(&service_name("web")).unwrap();
    assert_eq!(web.prefer.map(Port::number), Some(8080));
    assert_eq!(web.service_type.as_deref(), Some("web"));
    assert_eq!(web.variables, ["WEB_PORT"]);
    assert_eq!(settings.services[2].variables, ["DEBUG"]);
    assert_eq!(settings.service(&service_name("db")), None);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(settings.derived, [pair("B", "4"), pair("A", "2"), pair("C", "3")]);
}

#[test]
fn the_user_file_is_missed_only_when_it_was_named() {
    let mut given = Given::nothing();
    assert!(given.load().is_ok());
    given.required = true;
    let error = given.load().unwrap_err();
    let path = given.path("config.toml");
    assert_eq!(error.message, format!("there is no configuration file '{}'", path.display()));
    assert!(given.user("").load().is_ok());
}

#[test]
fn an_error_names_the_file_it_is_in() {
    let given = Given::nothing().user("").clone("\n[hok]");
    let path = given.path("git-port.toml");
    let error = given.load().unwrap_err();
    assert_eq!(error.message, format!("unknown key 'hok' in '{}', line 2", path.display()));
    assert_eq!(error.hints, ["did you mean 'hook'?"]);
}

#[test]
fn a_damaged_range_of_the_registry_is_passed_over() {
    let settings = Given::nothing().record("dev", &["1-5", "3"]).record("test", &[]).load().unwrap();
    assert_eq!(ranges(&settings, "dev"), "8000-8999,20000-29999");
    assert_eq!(ranges(&settings, "test"), "7000-7999");
    assert_eq!(
        settings.warnings[0],
        "the registry's setting 'ranges.dev' is ignored: the ranges '1-5' and '3' overlap"
    );
}

#[test]
fn ports_of_two_owners_are_warned_of() {
    let settings = Given::nothing()
        .worktree(
            "[ranges]\ntest = '8500-8599'\n[projects.b]\nrange = '3150'\n[projects.a]\nrange = '3100-3199'",
        )
        .load()
        .unwrap();
    assert_eq!(
        warnings(&settings, None),
        [
            "the environments 'dev' and 'test' share ports: '8000-8999' and '8500-8599' overlap",
            "the projects 'a' and 'b' share ports: '3100-3199' and '3150' overlap",
        ]
    );
    assert!(warnings(&Given::nothing().load().unwrap(), None).is_empty());
}

#[test]
fn the_systems_own_ports_are_warned_of() {
    let ephemeral = parse_ephemeral("32768\t60999\n");
    assert_eq!(ephemeral, "32768-60999".parse().ok());
    assert_eq!(parse_ephemeral("32768"), None);
    assert_eq!(parse_ephemeral("60999 32768"), None);
    let settings = Given::nothing().record("dev", &["8000", "40000-40001"]).load().unwrap();
    assert_eq!(
        warnings(&settings, ephemeral),
        ["the range '40000-40001' of the environment 'dev' overlaps '32768-60999', which the system gives \
             to outgoing connections"]
    );
    assert!(warnings(&Given::nothing().load().unwrap(), ephemeral).is_empty());
}

#[test]
fn a_variable_of_two_services_is_warned_of() {
    let settings = Given::nothing()
        .worktree("[services.web]\nvariables = ['X', 'X']\n[services.api]\nvariables = 'X'")
        .load()
        .unwrap();
    assert_eq!(warnings(&settings, None), ["the services 'web' and 'api' share the variable 'X'"]);
}

#[test]
fn very_many_ranges_in_one_place_give_few_warnings() {
    let mut settings = built_in().unwrap();
    let range: PortRange = "1".parse().unwrap();
    for number in 0..20_000 {
        let name: ProjectName = format!("p{number}").parse().unwrap();
        settings.projects.insert(name, vec![range]);
    }
    assert_eq!(warnings(&settings, None).len(), 19_999);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Each of the layers may say a value or be silent.
    #[test]
    fn the_last_layer_that_says_something_wins(
        layers in proptest::collection::vec(proptest::option::of(1000u16..9000), 6),
        interval in proptest::collection::vec(proptest::option::of(1i64..500), 4),
    ) {
        let text = |at: usize| {
            let mut text = String::new();
            if let Some(port) = layers[at] {
                text += &["ranges.dev = ", &port.to_string(), "\n"].concat();
            }
            if let Some(hours) = interval[at - 1] {
                text += &["cleanup.interval = '", &hours.to_string(), "h'\n"].concat();
            }
            text
        };
        let mut given = Given::nothing().user(&text(1)).worktree(&text(2)).clone(&text(3));
        if let Some(port) = layers[0] {
            given = given.record("dev", &[&port.to_string()]);
        }
        if let Some(port) = layers[4] {
            given = given.variable("DEV_PORT_START", &port.to_string());
            given = given.variable("DEV_PORT_END", &port.to_string());
        }
        if let Some(port) = layers[5] {
            given = given.variable("GIT_PORT_RANGES_DEV", &port.to_string());
        }
        if let Some(hours) = interval[3] {
            given = given.variable("GIT_PORT_CLEANUP_INTERVAL", &[&hours.to_string(), "h"].concat());
        }
        let settings = given.load().unwrap();

        let origins = [
            Origin::Registry,
            Origin::File(given.path("config.toml")),
            Origin::File(given.path(".git-port.toml")),
            Origin::File(given.path("git-port.toml")),
            Origin::Variable("DEV_PORT_START".into()),
            Origin::Variable("GIT_PORT_RANGES_DEV".into()),
        ];
        let last = layers.iter().zip(origins).rev().find_map(|(port, origin)| Some(((*port)?, origin)));
        let (expected, origin) = last.map_or(
            ("8000-8999,20000-29999".to_owned(), Origin::BuiltIn),
            |(port, origin)| (port.to_string(), origin),
        );
        prop_assert_eq!(ranges(&settings, "dev"), expected);
        prop_assert_eq!(settings.origin("ranges.dev"), Some(&origin));
        let hours = interval.iter().rev().find_map(|hours| *hours).unwrap_or(1);
        prop_assert_eq!(settings.cleanup.interval.as_hours(), hours);
    }
}
