//! Variables: which are settings, which are left alone, and what is wrong with them.

use std::path::Path;

use super::*;
use crate::config::{Fill, HookRepositories, Sources, load};
use crate::registry::{PortRange, RangeRecord};

fn settings(vars: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    with_records(vars, &[])
}

fn with_records(vars: &[(&str, &str)], records: &[RangeRecord]) -> Result<Settings, ConfigError> {
    load(&Sources {
        environment: &Environment::from_vars(vars.iter().copied()),
        user_file: None,
        user_file_required: false,
        worktree_root: None,
        common_dir: None,
        registry_ranges: records,
    })
}

fn ranges(settings: &Settings, name: &str) -> String {
    let ranges = &settings.ranges[&name.parse::<EnvironmentName>().unwrap()];
    ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn failure(name: &str, value: &str) -> ConfigError {
    settings(&[(name, value)]).unwrap_err()
}

#[test]
fn unset_and_empty_are_both_nothing() {
    let environment = Environment::from_vars([("A", ""), ("B", "b"), ("C", "1"), ("C", "2")]);
    assert_eq!(environment.os("A"), None);
    assert_eq!(environment.os("X"), None);
    assert_eq!(environment.text("A"), Ok(None));
    assert_eq!(environment.text("B"), Ok(Some("b")));
    assert_eq!(environment.os("C"), Some(OsStr::new("2")));
}

#[cfg(unix)]
#[test]
fn what_is_not_utf_8_is_named_where_it_is_asked_for() {
    use std::os::unix::ffi::OsStringExt;
    let odd = || OsString::from_vec(vec![b'x', 0xff]);
    let environment = Environment::from_vars([("A".into(), odd()), (odd(), odd())]);
    assert!(environment.os("A").is_some());
    assert_eq!(environment.text("A").unwrap_err().message, "the value of the variable 'A' is not UTF-8 text");
    let before = settings(&[]).unwrap();
    assert_eq!(assignments(&environment, &before), Ok(Vec::new()));
    for name in ["GIT_PORT_RANGES_DEV", "GIT_PORT_REGISTRY", "DEV_PORT_END", "RESERVED_PORTS"] {
        let error = assignments(&Environment::from_vars([(name, odd())]), &before).unwrap_err();
        assert_eq!(error.message, format!("the value of the variable '{name}' is not UTF-8 text"));
    }
    let other = Environment::from_vars([("GIT_PORT_PROJECT", odd()), ("GIT_PORTS", odd())]);
    assert_eq!(assignments(&other, &before), Ok(Vec::new()));
}

#[test]
fn every_setting_has_a_variable() {
    let settings = settings(&[
        ("GIT_PORT_RANGES_DEV", "8000-8099, 21000-21999"),
        ("GIT_PORT_RANGES_STAGING", "6000"),
        ("GIT_PORT_ALLOCATION_STRATEGY", "random"),
        ("GIT_PORT_ALLOCATION_RESERVED", "1,5-9,"),
        ("GIT_PORT_CLEANUP_AUTO", "Off"),
        ("GIT_PORT_CLEANUP_INTERVAL", "2h"),
        ("GIT_PORT_CLEANUP_OLDER_THAN", "1d"),
        ("GIT_PORT_HOOK_REPOSITORIES", "all"),
        ("GIT_PORT_WORKTREE_PATH", "../x/{branch}"),
        ("GIT_PORT_WORKTREE_FILL", "git"),
        ("GIT_PORT_SERVICES_MY_WEB_PREFER", "8080"),
        ("GIT_PORT_SERVICES_MY_WEB_PUBLIC_HOSTNAME", "x.example"),
        ("GIT_PORT_SERVICES_MY_WEB_VARIABLES", "A_PORT,B_PORT"),
        ("GIT_PORT_PROJECTS_SHOP_RANGE", "3100-3199,3300-3399"),
        ("GIT_PORT_ENV_DATABASE_URL", "x:{db.port}"),
        ("GIT_PORT_REGISTRY", "postgres://h/db"),
    ])
    .unwrap();
    assert_eq!(ranges(&settings, "dev"), "8000-8099,21000-21999");
    assert_eq!(ranges(&settings, "staging"), "6000");
    assert!(settings.allocation.random);
    assert_eq!(settings.allocation.reserved.len(), 2);
    assert!(!settings.cleanup.auto);
    assert_eq!(settings.cleanup.interval.as_hours(), 2);
    assert_eq!(settings.cleanup.older_than.as_hours(), 24);
    assert_eq!(settings.hook.repositories, HookRepositories::All);
    assert_eq!(settings.worktree.path, "../x/{branch}");
    assert_eq!(settings.worktree.fill, Fill::Git);
    let service = settings.service(&"my_web".parse().unwrap()).unwrap();
    assert_eq!(service.prefer.map(Port::number), Some(8080));
    assert_eq!(service.public_hostname.as_deref(), Some("x.example"));
    assert_eq!(service.variables, ["A_PORT", "B_PORT"]);
    assert_eq!(settings.projects[&"shop".parse::<ProjectName>().unwrap()].len(), 2);
    assert_eq!(settings.derived, [("DATABASE_URL".into(), "x:{db.port}".into())]);
    assert_eq!(settings.registry.as_deref(), Some("postgres://h/db"));
    assert_eq!(settings.origin("cleanup.auto"), Some(&Origin::Variable("GIT_PORT_CLEANUP_AUTO".into())));
}

#[test]
fn a_known_name_is_found_by_its_variable() {
    let range: PortRange = "3100-3199".parse().unwrap();
    let records = [
        RangeRecord::Project("My.Shop-2".parse().unwrap(), vec![range]),
        RangeRecord::Environment("pre-prod".parse().unwrap(), vec![range]),
    ];
    let vars = [("GIT_PORT_PROJECTS_MY_SHOP_2_RANGE", "3200"), ("GIT_PORT_RANGES_PRE_PROD", "3300")];
    let settings = with_records(&vars, &records).unwrap();
    assert_eq!(settings.projects.len(), 1);
    assert_eq!(settings.projects[&"My.Shop-2".parse::<ProjectName>().unwrap()][0].to_string(), "3200");
    assert_eq!(ranges(&settings, "pre-prod"), "3300");
}

#[test]
fn what_git_port_writes_for_programs_is_never_a_setting() {
    let written = [
        ("GIT_PORT_PROJECT", "other"),
        ("GIT_PORT_WORKTREE", "feature"),
        ("GIT_PORT_ENVIRONMENT", "production"),
        ("GIT_PORT_SESSION", "s"),
        ("GIT_PORT_DISABLE", "1"),
        ("GIT_PORT_CONFIG", "x"),
        ("GIT_PORT", "1"),
        ("GIT_PORT_RANGESX", "1"),
        ("PORT", "8000"),
        // The ports of services of a project that is called 'git-port'.
        ("GIT_PORT_WORKTREE_X_PORT", "8001"),
        ("GIT_PORT_WORKTREE_X_URL", "http://localhost:8001"),
        ("GIT_PORT_RANGES_PORT", "8002"),
        ("GIT_PORT_SERVICES_PORT", "8003"),
    ];
    assert_eq!(settings(&written).unwrap(), settings(&[]).unwrap());
    assert_eq!(settings(&written).unwrap().project, None);
}

#[test]
fn a_misspelt_variable_is_told_with_the_nearest() {
    for (name, near) in [
        ("GIT_PORT_ALLOCATION_STRATEGI", "GIT_PORT_ALLOCATION_STRATEGY"),
        ("GIT_PORT_CLEANUP_OLDERTHAN", "GIT_PORT_CLEANUP_OLDER_THAN"),
        ("GIT_PORT_SERVICES_WEB_PREFR", "GIT_PORT_SERVICES_WEB_PREFER"),
        ("GIT_PORT_SERVICES_WEB_HOSTNAME", "GIT_PORT_SERVICES_WEB_PUBLIC_HOSTNAME"),
        ("GIT_PORT_PROJECTS_SHOP_RANGES", "GIT_PORT_PROJECTS_SHOP_RANGE"),
        ("GIT_PORT_HOOK_REPOSITORY", "GIT_PORT_HOOK_REPOSITORIES"),
    ] {
        let error = failure(name, "x");
        assert_eq!(error.message, format!("unknown variable '{name}'"));
        assert_eq!(error.hints, [format!("did you mean '{near}'?")]);
        assert!(settings(&[(name, "")]).is_ok(), "an empty one counts as unset");
    }
    assert_eq!(failure("GIT_PORT_HOOK_X", "x").hints, ["known here: 'GIT_PORT_HOOK_REPOSITORIES'"]);
}

#[test]
fn a_malformed_value_is_told_with_its_variable() {
    for (name, value, why) in [
        ("GIT_PORT_RANGES_DEV", "8000-", "'8000-' is not a range of ports"),
        ("GIT_PORT_RANGES_DEV", "1-5,3", "the ranges '1-5' and '3' overlap"),
        ("GIT_PORT_RANGES_DEV", ",", "at least one range is needed"),
        ("GIT_PORT_CLEANUP_AUTO", "maybe", "expected true or false, not 'maybe'"),
        ("GIT_PORT_CLEANUP_INTERVAL", "1", "'1' is not a duration"),
        ("GIT_PORT_SERVICES_WEB_PREFER", "x", "'x' is not a port"),
        ("GIT_PORT_SERVICES_9_PREFER", "1", "'9' is not a service name"),
        ("GIT_PORT_ENV_PATH", "/x", "the variable 'PATH' may not be set"),
        ("GIT_PORT_ENV_http_proxy", "x", "'http_proxy' is not a variable name"),
        ("DEV_PORT_START", "abc", "'abc' is not a port"),
        ("PROD_PORT_END", "70000", "'70000' is not a port"),
        ("RESERVED_PORTS", "3000;5432", "'3000;5432' is not a range of ports"),
        ("PORT_AUTO_CLEANUP", "2", "expected true or false, not '2'"),
        ("PORT_ALLOCATION_STRATEGY", "lowest", "expected 'sequential' or 'random', not 'lowest'"),
    ] {
        let message = failure(name, value).message;
        let expected = format!("bad setting '{value}' in the variable '{name}': {why}");
        assert!(message.starts_with(&expected), "{message}");
    }
    let message = failure("GIT_PORT_RANGES_DEV", &format!("\u{1b}[2J\n{}", "x".repeat(100_000))).message;
    assert!(message.starts_with("bad setting '\\u{1b}[2J\\nx"), "{message}");
    assert!(message.contains("'GIT_PORT_RANGES_DEV'"), "{message}");
    assert!(!failure("GIT_PORT_REGISTRY", "postgres://u:secret@h\n").message.contains("secret"));
}

#[test]
fn a_pair_replaces_the_whole_list_by_one_range() {
    let both = settings(&[("DEV_PORT_START", "4000"), ("DEV_PORT_END", " 4099 ")]).unwrap();
    assert_eq!(ranges(&both, "dev"), "4000-4099");
    assert_eq!(both.origin("ranges.dev"), Some(&Origin::Variable("DEV_PORT_START".into())));
    assert_eq!(ranges(&settings(&[("DEV_PORT_START", "8500")]).unwrap(), "dev"), "8500-8999");
    assert_eq!(ranges(&settings(&[("PROD_PORT_END", "9499")]).unwrap(), "production"), "9000-9499");
    assert_eq!(ranges(&settings(&[("TEST_PORT_END", "7000")]).unwrap(), "test"), "7000");
    assert_eq!(ranges(&settings(&[("DEV_PORT_START", "")]).unwrap(), "dev"), "8000-8999,20000-29999");
    let record = RangeRecord::Environment(EnvironmentName::dev(), vec!["5000-5999".parse().unwrap()]);
    assert_eq!(ranges(&with_records(&[("DEV_PORT_END", "5100")], &[record]).unwrap(), "dev"), "5000-5100");
    let error = failure("DEV_PORT_START", "9500");
    assert_eq!(
        error.message,
        "bad setting '9500' in the variable 'DEV_PORT_START': '9500-8999' is not a range of ports: it ends \
         before it begins"
    );
    assert_eq!(error.hints, ["set both 'DEV_PORT_START' and 'DEV_PORT_END'"]);
}

#[test]
fn an_empty_list_of_reserved_ports_reserves_none() {
    for name in ["RESERVED_PORTS", "GIT_PORT_ALLOCATION_RESERVED"] {
        assert!(settings(&[(name, "")]).unwrap().allocation.reserved.is_empty());
    }
    assert_eq!(settings(&[]).unwrap().allocation.reserved.len(), 5);
    assert_eq!(settings(&[("RESERVED_PORTS", "1, 2,3-4")]).unwrap().allocation.reserved.len(), 3);
}

#[test]
fn the_longer_names_win_over_the_plain_ones() {
    let settings = settings(&[
        ("DEV_PORT_START", "4000"),
        ("DEV_PORT_END", "4999"),
        ("GIT_PORT_RANGES_DEV", "6000-6999"),
        ("RESERVED_PORTS", "1"),
        ("GIT_PORT_ALLOCATION_RESERVED", "2"),
        ("PORT_AUTO_CLEANUP", "yes"),
        ("GIT_PORT_CLEANUP_AUTO", "no"),
        ("PORT_ALLOCATION_STRATEGY", "random"),
    ])
    .unwrap();
    assert_eq!(ranges(&settings, "dev"), "6000-6999");
    assert_eq!(settings.allocation.reserved, ["2".parse().unwrap()]);
    assert!(!settings.cleanup.auto);
    assert!(settings.allocation.random);
}

#[test]
fn a_variable_of_a_file_s_service_reaches_that_service() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".git-port.toml");
    let text = b"[services.web]\n[services.my-api]\nprefer = 8001\n";
    crate::system::files::replace(&file, text, crate::system::files::Access::Public).unwrap();
    let environment = Environment::from_vars([("GIT_PORT_SERVICES_MY_API_PREFER", "8002")]);
    let settings = load(&Sources {
        environment: &environment,
        user_file: None,
        user_file_required: false,
        worktree_root: Some(Path::new(dir.path())),
        common_dir: None,
        registry_ranges: &[],
    })
    .unwrap();
    assert_eq!(settings.services.len(), 2);
    assert_eq!(settings.services[1].prefer.map(Port::number), Some(8002));
    let misspelt = Environment::from_vars([("GIT_PORT_SERVICES_MY_API_PREFR_X", "8002")]);
    let error = assignments(&misspelt, &settings).unwrap_err();
    assert_eq!(error.hints, ["did you mean 'GIT_PORT_SERVICES_MY_API_PREFER'?"]);
}
