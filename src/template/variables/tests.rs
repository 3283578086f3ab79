//! What the variables of a worktree are.

use super::*;
use proptest::prelude::*;

type Given = (&'static str, u16, &'static [&'static str]);

fn run(
    services: &[Given],
    branch: Option<&str>,
    derived: &[(&str, &str)],
) -> Result<Vec<Variable>, TemplateError> {
    let names: Vec<ServiceName> = services.iter().map(|given| given.0.parse().unwrap()).collect();
    let configured: Vec<Vec<String>> =
        services.iter().map(|given| given.2.iter().map(|name| (*name).to_owned()).collect()).collect();
    let derived: Vec<(String, String)> =
        derived.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let services = names
        .iter()
        .zip(&configured)
        .zip(services)
        .enumerate()
        .map(|(at, ((service, variables), given))| ServicePort {
            service,
            port: Port::new(given.1).unwrap(),
            url: (given.0 != "db").then(|| format!("http://localhost:{}", given.1)),
            primary: at == 0,
            variables,
        })
        .collect();
    variables(&Scene {
        project: &"shop".parse().unwrap(),
        worktree: "feature-api",
        branch,
        environment: &EnvironmentName::dev(),
        services,
        derived: &derived,
        foreign: &[Foreign {
            project: "pay".parse().unwrap(),
            service: "api".parse().unwrap(),
            port: Port::new(8200).unwrap(),
            url: None,
        }],
    })
}

fn lines(variables: &[Variable]) -> Vec<String> {
    variables.iter().map(|variable| format!("{}={}", variable.name, variable.value)).collect()
}

const THREE: [Given; 3] =
    [("web", 8001, &[]), ("api", 8002, &["API_PORT", "UVICORN_PORT"]), ("db", 8432, &[])];

#[test]
fn the_order_is_the_documented_one() {
    let derived = [
        ("DATABASE_URL", "postgres://localhost:{db.port}/shop"),
        ("COMPOSE_PROJECT_NAME", "{project}-{worktree}"),
        ("ALL", "{port} {url} {web.url} {branch} {environment} {{x}}{{{port}}}"),
    ];
    assert_eq!(
        lines(&run(&THREE, Some("feature/api"), &derived).unwrap()),
        [
            "PORT=8001",
            "WEB_PORT=8001",
            "WEB_URL=http://localhost:8001",
            "API_PORT=8002",
            "UVICORN_PORT=8002",
            "API_URL=http://localhost:8002",
            "DB_PORT=8432",
            "GIT_PORT_PROJECT=shop",
            "GIT_PORT_WORKTREE=feature-api",
            "GIT_PORT_ENVIRONMENT=dev",
            "DATABASE_URL=postgres://localhost:8432/shop",
            "COMPOSE_PROJECT_NAME=shop-feature-api",
            "ALL=8001 http://localhost:8001 http://localhost:8001 feature-api dev {x}{8001}",
        ]
    );
}

#[test]
fn services_of_other_projects_are_put_in() {
    let variables = run(&[], None, &[("B", "{pay/api.port} {{x/y.port}}")]).unwrap();
    assert_eq!(lines(&variables)[3..], ["B=8200 {x/y.port}"]);
    for placeholder in ["{pay/web.port}", "{pay/api.url}", "{pay/api.host}", "{pay/api}", "{/api.port}"] {
        assert!(run(&[], None, &[("B", placeholder)]).is_err(), "{placeholder}");
    }
    let error = run(&[], None, &[("B", "{pay/web.port}")]).unwrap_err();
    assert_eq!(error.message, "'pay/web' has no port here, which 'B' names");
}

#[test]
fn a_worktree_without_services_has_its_own_variables() {
    let variables = run(&[], None, &[("B", "<{branch}>")]).unwrap();
    assert_eq!(lines(&variables)[3..], ["B=<>"]);
}

#[test]
fn an_unknown_placeholder_is_named_with_the_known_ones() {
    for placeholder in ["{prot}", "{cache.port}", "{db.url}", "{db.host}", "{}", "{ port }", "{\u{1b}[2J}"] {
        let error = run(&THREE, None, &[("X", placeholder)]).unwrap_err();
        assert_eq!(error.message, format!("unknown placeholder '{}' in 'X'", printable(placeholder)));
        assert_eq!(
            error.hints[0],
            "known here: {port}, {url}, {web.port}, {web.url}, {api.port}, {api.url}, {db.port}, {project}, \
             {worktree}, {branch}, {environment}"
        );
    }
    let error = run(&[], None, &[("X", "{port}")]).unwrap_err();
    assert_eq!(error.hints[0], "known here: {project}, {worktree}, {branch}, {environment}");
    for (value, what) in [("a{port", "'{' in 'X' is never closed"), ("a}", "'}' in 'X' is never opened")] {
        assert_eq!(run(&THREE, None, &[("X", value)]).unwrap_err().message, what);
    }
}

#[test]
fn names_that_meet_are_told_with_both_services() {
    let error = run(&[("a-b", 8001, &[]), ("a_b", 8002, &[])], None, &[]).unwrap_err();
    assert_eq!(error.message, "services 'a-b' and 'a_b' both give a variable 'A_B_PORT'");
    let error = run(&[("web", 8001, &[]), ("api", 8002, &["PORT"])], None, &[]).unwrap_err();
    assert_eq!(error.message, "services 'web' and 'api' both give a variable 'PORT'");
    let error = run(&[("web", 8001, &["WEB_URL"])], None, &[]).unwrap_err();
    assert_eq!(error.message, "service 'web' gives 'WEB_URL' two values");
    let variables = run(&[("web", 8001, &["PORT", "PORT"])], None, &[]).unwrap();
    assert_eq!(lines(&variables)[..2], ["PORT=8001", "WEB_URL=http://localhost:8001"]);
}

#[test]
fn a_derived_value_overrides_nothing() {
    for name in ["PORT", "API_URL", "UVICORN_PORT", "GIT_PORT_WORKTREE"] {
        let error = run(&THREE, None, &[(name, "x")]).unwrap_err();
        let what = format!("'{name}' is written by git-port itself and cannot be set under [env]");
        assert_eq!(error.message, what);
    }
    let error = run(&THREE, None, &[("A", "x"), ("A", "x")]).unwrap_err();
    assert_eq!(error.message, "'A' is set twice under [env]");
}

#[test]
fn names_that_programs_obey_are_refused() {
    for name in ["PATH", "LD_PRELOAD", "GIT_DIR", "BASH_ENV", "HTTP_PROXY", "PYTHONPATH", "GIT_PORT_X", "UID"]
    {
        let what = format!("'{name}' may not be set by a configuration");
        assert_eq!(run(&THREE, None, &[(name, "x")]).unwrap_err().message, what);
    }
    for name in ["", "1A", "a", "A-B", "A B", "A\nB", "Ä", &"A".repeat(69)] {
        let error = run(&THREE, None, &[(name, "x")]).unwrap_err();
        assert!(error.message.ends_with("is not the name of a variable"), "{error}");
    }
    assert!(run(&[("web", 8001, &["NODE_OPTIONS"])], None, &[]).is_err());
    assert!(run(&[("ssh", 8022, &["SSH_PORT"])], None, &[]).is_ok());
}

#[test]
fn the_longest_service_name_has_a_variable() {
    let name: &'static str = Box::leak("a".repeat(63).into_boxed_str());
    let variables = run(&[(name, 8001, &[])], None, &[]).unwrap();
    assert!(variables.iter().all(|variable| is_name(&variable.name)));
}

proptest! {
    #[test]
    fn a_branch_is_a_slug_whatever_it_is_called(branch in any::<String>()) {
        let variables = run(&THREE, Some(&branch), &[("B", "{branch}")]).unwrap();
        let value = &variables.last().unwrap().value;
        prop_assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
    }

    #[test]
    fn doubled_braces_give_any_text_back(text in any::<String>()) {
        let template = text.replace('{', "{{").replace('}', "}}");
        let variables = run(&THREE, None, &[("X", &template)]).unwrap();
        prop_assert_eq!(&variables.last().unwrap().value, &text);
    }

    #[test]
    fn no_template_panics_and_errors_are_one_line(template in "[{}a-z.\\PC\n]{0,20}") {
        if let Err(error) = run(&THREE, None, &[("X", &template)]) {
            prop_assert!(!error.message.contains('\n'));
        }
    }
}
