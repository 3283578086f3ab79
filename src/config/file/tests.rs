//! One file: order, lines, and everything that can be wrong with it.

use proptest::prelude::*;

use super::*;
use crate::config::Fill;

fn read(text: &str) -> Result<Vec<Assignment>, ConfigError> {
    parse_text(text, Path::new(".git-port.toml"), Role::Worktree)
}

fn message(text: &str) -> String {
    read(text).unwrap_err().message
}

fn keys(text: &str) -> Vec<String> {
    read(text).unwrap().into_iter().map(|assignment| assignment.key).collect()
}

#[test]
fn services_and_derived_variables_keep_the_order_of_the_file() {
    let text = "[services.web]\n[services.api]\ntype = 'api'\n[services.db]\n[env]\nZ = 'z'\nA = 1\n";
    assert_eq!(
        keys(text),
        ["services.web", "services.api", "services.api.type", "services.db", "env.Z", "env.A"]
    );
    assert_eq!(
        keys("services.z.prefer = 8000\nservices.a = {}"),
        ["services.z", "services.z.prefer", "services.a"]
    );
    assert_eq!(keys("services = { z = {}, b = {}, a = {} }"), ["services.z", "services.b", "services.a"]);
    assert_eq!(keys("[services]\nz = {}\n[services.a]"), ["services.z", "services.a"]);
}

#[test]
fn the_whole_example_is_understood() {
    let text = r#"
project = "shop"
[services.web]
[services.api]
variables = ["API_PORT", "UVICORN_PORT"]
type = "api"
[services.db]
protocol = "tcp"
prefer = 8432
description = "the shop's data"
health = "/healthz"
public_hostname = "db.shop.example"
[env]
DATABASE_URL = "postgres://localhost:{db.port}/shop"
[worktree]
path = "../{project}-{branch}"
fill = "git"
[ranges]
dev = ["8000-8999", "20000-29999"]
test = 7000
staging = "6000-6999"
[projects.consilio]
range = "3100-3199"
[projects."a.b"]
range = ["3200-3299", 3400]
[allocation]
strategy = "random"
reserved = [3000, "8100-8110"]
[cleanup]
auto = false
interval = "2h"
older_than = "1d 12h"
[hook]
repositories = "all"
"#;
    let assignments = read(text).unwrap();
    assert_eq!(assignments.len(), 25);
    let setting = |key: &str| &assignments.iter().find(|a| a.key == key).unwrap().setting;
    assert_eq!(*setting("worktree.fill"), Setting::WorktreeFill(Fill::Git));
    assert_eq!(*setting("allocation.strategy"), Setting::AllocationRandom(true));
    let reserved = vec!["3000".parse().unwrap(), "8100-8110".parse().unwrap()];
    assert_eq!(*setting("allocation.reserved"), Setting::Reserved(reserved));
    assert!(matches!(setting("projects.a.b.range"), Setting::ProjectRanges(_, ranges) if ranges.len() == 2));
}

#[test]
fn an_unknown_key_is_told_with_its_line_and_the_nearest() {
    for (text, key, line, near) in [
        ("\nproject = 'x'\n[servces.web]", "servces", 3, "services"),
        ("[services.web]\n\nvariable = 'X'", "services.web.variable", 3, "services.web.variables"),
        ("[services.web]\nhostname = 'X'", "services.web.hostname", 2, "services.web.public_hostname"),
        ("[allocation]\nstrategi = 'random'", "allocation.strategi", 2, "allocation.strategy"),
        ("[cleanup]\nolder-than = '1d'", "cleanup.older-than", 2, "cleanup.older_than"),
        ("[worktree]\n\n\npaht = 'x'", "worktree.paht", 4, "worktree.path"),
        ("[projects.x]\nranges = '1-2'", "projects.x.ranges", 2, "projects.x.range"),
        ("hook.repository = 'all'", "hook.repository", 1, "hook.repositories"),
        ("PROJECT = 'x'", "PROJECT", 1, "project"),
    ] {
        let error = read(text).unwrap_err();
        assert_eq!(error.message, format!("unknown key '{key}' in '.git-port.toml', line {line}"));
        assert_eq!(error.hints, [format!("did you mean '{near}'?")]);
    }
    let error = read("[hook]\nrun = 'rm'").unwrap_err();
    assert_eq!(error.hints, ["known here: 'hook.repositories'"]);
}

#[test]
fn a_bad_value_is_told_with_its_line() {
    for (text, expected) in [
        (
            "[cleanup]\nauto = 'true'",
            "'cleanup.auto' in '.git-port.toml', line 2: expected true or false, not a string",
        ),
        (
            "[cleanup]\ninterval = 5",
            "'cleanup.interval' in '.git-port.toml', line 2: expected a string, not an integer",
        ),
        ("[cleanup]\ninterval = '-5h'", "line 2: '-5h' is not a duration"),
        ("[allocation]\nreserved = [\n  3000,\n  99999,\n]", "line 4: '99999' is not a port"),
        ("[allocation]\nreserved = [-1]", "line 2: '-1' is not a port"),
        ("[allocation]\nreserved = 99999999999999999999", "not an integer of this size"),
        ("[allocation]\nreserved = [[1]]", "expected a range of ports, not an array"),
        ("[allocation]\nstrategy = 'lowest'", "expected 'sequential' or 'random', not 'lowest'"),
        (
            "[ranges]\ndev = '9-8'",
            "'ranges.dev' in '.git-port.toml', line 2: '9-8' is not a range of ports: it ends",
        ),
        ("[ranges]\ndev = '0-8'", "'0-8' is not a range"),
        ("[ranges]\ndev = 70000", "'70000' is not a port"),
        ("[ranges]\ndev = []", "at least one range is needed"),
        ("[ranges]\ndev = 1.5", "expected a range of ports, not a float"),
        ("[ranges]\ndev = ['8000-8999', '8999-9001']", "the ranges '8000-8999' and '8999-9001' overlap"),
        ("[ranges.dev]\nstart = 1", "expected a range of ports, not a table"),
        ("[ranges]\nDEV = 8000", "'DEV' is not an environment"),
        ("[projects.'../x']\nrange = 1", "'../x' is not a project name"),
        ("[projects.x]\nrange = ['1-5', '2']", "the ranges '1-5' and '2' overlap"),
        ("\n[services.Web]", "'services.Web' in '.git-port.toml', line 2: 'Web' is not a service name"),
        ("[[services]]", "'services' in '.git-port.toml', line 1: expected a table, not an array"),
        ("services = 3", "expected a table, not an integer"),
        (
            "[services]\nweb = 8000",
            "'services.web' in '.git-port.toml', line 2: expected a table, not an integer",
        ),
        ("[services.web]\nprefer = 0", "'0' is not a port"),
        ("[services.web]\nprefer = '80'", "expected a port, not a string"),
        ("[services.web]\nprotocol = 'TCP'", "'TCP' is not a protocol"),
        (
            "[services.web]\nvariables = ['A',\n 'LD_PRELOAD']",
            "line 3: the variable 'LD_PRELOAD' may not be set",
        ),
        ("[services.web]\nvariables = [1]", "expected the name of a variable, not an integer"),
        ("[services.web]\ndescription = ''", "it must not be empty"),
        ("[services.web]\ndescription = \"a\\u001b[2Jb\"", "control characters are not allowed in it"),
        ("[services.web]\npublic_hostname = 'x/y'", "'x/y' is not a host name"),
        ("[env]\nPATH = '/x'", "the variable 'PATH' may not be set"),
        ("[env]\nport = '1'", "'port' is not a variable name"),
        ("[env]\nA = 1.5", "expected a string, an integer or a boolean, not a float"),
        ("[env]\nA = \"x\\ny\"", "control characters are not allowed in it"),
        ("[env]\nA = \"\\u202ex\"", "control characters are not allowed in it"),
        ("[env]\nA = 1979-05-27", "not a date"),
        ("project = '../../etc'", "'../../etc' is not a project name"),
        ("[hook]\nrepositories = true", "expected 'configured' or 'all', not a boolean"),
    ] {
        let message = message(text);
        assert!(message.starts_with("bad setting '"), "{message}");
        assert!(message.contains(expected), "{text:?} gives {message}");
    }
}

#[test]
fn bad_syntax_is_told_with_its_line() {
    for (text, line) in [("a = 1\nb =", 2), ("\n[x", 2), ("project = 'a'\n\nproject = 'b'", 3), ("\0", 1)] {
        let message = message(text);
        assert!(
            message.starts_with(&format!("bad syntax in '.git-port.toml', line {line}: ")),
            "{text:?} gives {message}"
        );
    }
    let password = message("registry = \"postgres://u:secret@h");
    assert!(!password.contains("secret"), "{password}");
}

#[test]
fn numbers_and_booleans_become_text() {
    let values: Vec<_> = read("[env]\nA = 0x1F\nB = 1_000\nC = true\nD = ''")
        .unwrap()
        .into_iter()
        .map(|assignment| assignment.setting)
        .collect();
    let derived = |name: &str, value: &str| Setting::Derived(name.into(), value.into());
    assert_eq!(values, [derived("A", "31"), derived("B", "1000"), derived("C", "true"), derived("D", "")]);
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_accepted() {
    assert_eq!(keys("\u{feff}project = 'x'\r\n[services.web]\r\n"), ["project", "services.web"]);
    assert!(message("\u{feff}\r\n\r\nx = 1\r\n").ends_with("line 3"));
}

#[test]
fn the_registry_stands_in_the_users_file_alone() {
    for role in [Role::Worktree, Role::Clone] {
        let read = parse_text("\nregistry = 'postgres://u:secret@h'", Path::new("x"), role).unwrap();
        let [Assignment { setting: Setting::PassedOver(warning), .. }] = read.as_slice() else {
            panic!("{read:?}")
        };
        assert!(warning.starts_with("'registry' in 'x', line 2, is ignored: "), "{warning}");
        assert!(!warning.contains("secret") && warning.contains("GIT_PORT_REGISTRY"), "{warning}");
    }
    let user = parse_text("registry = 'postgres://h'", Path::new("x"), Role::User).unwrap();
    assert_eq!(user[0].setting, Setting::Registry("postgres://h".into()));
    let error = parse_text("registry = \"se\\u0007cret\"", Path::new("x"), Role::User).unwrap_err();
    assert!(!error.message.contains("cret"), "{error}");
}

#[test]
fn the_users_file_names_no_project() {
    let error = parse_text("project = 'x'", Path::new("x"), Role::User).unwrap_err();
    assert!(error.message.contains("all repositories"), "{error}");
}

#[test]
fn a_file_made_to_be_a_burden_is_refused_at_once() {
    let large = format!("# {}\n", "x".repeat(LARGEST));
    assert_eq!(message(&large), "'.git-port.toml' is larger than 256 KiB");
    assert!(message(&format!("a = {}", "[".repeat(10_000))).starts_with("bad syntax in"));
    let long = message(&format!("[hook]\n{} = 1", "x".repeat(100_000)));
    assert!(long.ends_with("…' in '.git-port.toml', line 2"), "{long}");
    let many: String = (0..15_000).map(|n| ["e", &n.to_string(), " = 1\n"].concat()).collect();
    assert_eq!(read(&format!("[ranges]\n{many}")).unwrap().len(), 15_000);
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.toml");
    let failure = |role| load(&path, role).unwrap_err().message;
    assert_eq!(load(&path, Role::Worktree), Ok(None));
    files::replace(&path, b"project = '\xff'", files::Access::Public).unwrap();
    assert_eq!(failure(Role::Worktree), format!("'{}' is not UTF-8 text", path.display()));
    files::remove(&path).unwrap();
    files::create_private_dir(&path).unwrap();
    assert_eq!(failure(Role::Worktree), format!("'{}' is not a file", path.display()));
    let message = failure(Role::User);
    assert!(message.starts_with(&format!("cannot read '{}': ", path.display())), "{message}");
}

#[cfg(unix)]
#[test]
fn a_repository_brings_no_device_but_a_user_may_name_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".git-port.toml");
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    assert!(load(&path, Role::Worktree).unwrap_err().message.ends_with("is not a file"));
    assert_eq!(load(&path, Role::User), Ok(Some(Vec::new())));
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in any::<String>()) {
        if let Err(error) = read(&text) {
            prop_assert!(error.message.contains("'.git-port.toml'"), "{}", error);
            prop_assert!(!error.message.contains('\n'));
        }
    }

    #[test]
    fn services_come_in_the_order_they_stand(names in proptest::collection::hash_set("[a-z][a-z0-9-]{0,8}", 1..8)) {
        let names: Vec<_> = names.into_iter().collect();
        let text: String = names.iter().map(|name| ["[services.", name, "]\n"].concat()).collect();
        let expected: Vec<_> = names.iter().map(|name| ["services.", name].concat()).collect();
        prop_assert_eq!(keys(&text), expected);
    }
}
