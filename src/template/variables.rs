//! The variables of a worktree: which names there are, and what they hold.

use crate::registry::scope::folder_slug;
use crate::registry::{EnvironmentName, Port, ProjectName, ServiceName};

/// One environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, as a program shall see it.
    pub value: String,
}

/// A service of the worktree, with its port.
#[derive(Clone, Debug)]
pub struct ServicePort<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// Its port.
    pub port: Port,
    /// Its URL, where it speaks HTTP.
    pub url: Option<String>,
    /// Whether `PORT` stands for it.
    pub primary: bool,
    /// The configured names of its variables; empty: `<SERVICE>_PORT`.
    pub variables: &'a [String],
}

/// All that the variables of one worktree are made from.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The project.
    pub project: &'a ProjectName,
    /// The worktree's label, already a safe slug.
    pub worktree: &'a str,
    /// The branch checked out there.
    pub branch: Option<&'a str>,
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// Its services, the configured order kept.
    pub services: Vec<ServicePort<'a>>,
    /// The `[env]` table: names, and values with placeholders.
    pub derived: &'a [(String, String)],
}

/// A text that cannot be written: what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong, in the words of an error message.
    pub message: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

impl TemplateError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new() }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// The longest name of a variable: that of a service (63) and `_PORT`.
const NAME_MAX: usize = 68;

/// Names that a repository may not set: the shell, the loader, git or a language would obey them.
#[rustfmt::skip]
const DENIED: [&str; 34] = [
    "PATH", "HOME", "SHELL", "IFS", "ENV", "BASH_ENV", "PROMPT", "PROMPT_COMMAND", "PS1", "PS2", "PS4",
    "NODE_OPTIONS", "RUBYOPT", "RUBYLIB", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "EDITOR", "VISUAL", "PAGER",
    // Assigning to these fails or changes the user in one shell or another, which would end an `eval`.
    "_", "UID", "EUID", "GID", "EGID", "PPID", "USERNAME", "PWD", "OLDPWD", "SHELLOPTS", "BASHOPTS",
    "CDPATH", "FPATH", "ZDOTDIR", "OPTIND",
];
const DENIED_PREFIXES: [&str; 7] = ["LD_", "DYLD_", "GIT_", "SSH_", "PYTHON", "PERL5", "BASH_FUNC_"];

/// Says whether this is a name that every shell and reader takes: `^[A-Z_][A-Z0-9_]{0,67}$`.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// Returns the text on one line, without what a terminal would obey or hide. It can be read back.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\'' | '"' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

/// Returns the error for a name that is no variable's name, or that a configuration may not set.
fn check_configured(name: &str) -> Result<(), TemplateError> {
    check_name(name)?;
    // `SSH_PORT` is what a service called 'ssh' has anyway, and no program obeys a name that ends so.
    let denied = DENIED.contains(&name)
        || name.ends_with("_PROXY")
        || (DENIED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !name.ends_with("_PORT"));
    if denied {
        return Err(TemplateError::new(format!("'{name}' may not be set by a configuration"))
            .hint("choose another name: shells, git or interpreters act on this one"));
    }
    Ok(())
}

pub(super) fn check_name(name: &str) -> Result<(), TemplateError> {
    if is_name(name) {
        return Ok(());
    }
    Err(TemplateError::new(format!("'{}' is not the name of a variable", printable(name)))
        .hint(format!("write capital letters, digits and '_', beginning with a letter; {NAME_MAX} at most")))
}

/// Names with the service that owns each; `None` for the worktree's own.
#[derive(Default)]
struct Collected<'a> {
    variables: Vec<Variable>,
    owners: Vec<Option<&'a ServiceName>>,
}

impl<'a> Collected<'a> {
    fn add(&mut self, owner: Option<&'a ServiceName>, name: &str, value: &str) -> Result<(), TemplateError> {
        let Some(at) = self.variables.iter().position(|variable| variable.name == name) else {
            self.variables.push(Variable { name: name.to_owned(), value: value.to_owned() });
            self.owners.push(owner);
            return Ok(());
        };
        let first = self.owners.get(at).copied().flatten();
        if first == owner && self.variables.get(at).is_some_and(|variable| variable.value == value) {
            return Ok(());
        }
        let message = match (first, owner) {
            (Some(first), Some(second)) if first == second => {
                format!("service '{first}' gives '{name}' two values")
            }
            (Some(first), Some(second)) => {
                format!("services '{first}' and '{second}' both give a variable '{name}'")
            }
            _ => format!("'{name}' is written by git-port itself and cannot be given a second value"),
        };
        Err(TemplateError::new(message).hint("rename one, or set 'variables' of one service"))
    }
}

/// Returns the variables of a worktree, in the order in which they are written: `PORT`, those of each
/// service, the worktree's own, the derived ones.
pub fn variables(scene: &Scene<'_>) -> Result<Vec<Variable>, TemplateError> {
    let mut collected = Collected::default();
    if let Some(primary) = primary(scene) {
        collected.add(Some(primary.service), "PORT", &primary.port.to_string())?;
    }
    for service in &scene.services {
        let stem = service.service.variable_stem();
        let port = service.port.to_string();
        if service.variables.is_empty() {
            collected.add(Some(service.service), &format!("{stem}_PORT"), &port)?;
        }
        for name in service.variables {
            check_configured(name)?;
            collected.add(Some(service.service), name, &port)?;
        }
        if let Some(url) = &service.url {
            collected.add(Some(service.service), &format!("{stem}_URL"), url)?;
        }
    }
    collected.add(None, "GIT_PORT_PROJECT", scene.project.as_str())?;
    collected.add(None, "GIT_PORT_WORKTREE", scene.worktree)?;
    collected.add(None, "GIT_PORT_ENVIRONMENT", scene.environment.as_str())?;

    let mut variables = collected.variables;
    let own = variables.len();
    for (name, template) in scene.derived {
        if let Some(at) = variables.iter().position(|variable| variable.name == *name) {
            let message = if at < own {
                format!("'{name}' is written by git-port itself and cannot be set under [env]")
            } else {
                format!("'{name}' is set twice under [env]")
            };
            return Err(TemplateError::new(message).hint(format!("rename '{name}'")));
        }
        check_configured(name)?;
        variables.push(Variable { name: name.clone(), value: expand(scene, name, template)? });
    }
    Ok(variables)
}

fn primary<'s, 'a>(scene: &'s Scene<'a>) -> Option<&'s ServicePort<'a>> {
    scene.services.iter().find(|service| service.primary)
}

/// Returns the value with its placeholders replaced; `{{` and `}}` are braces. What is put in is not
/// looked at again, so a branch called `{port}` stays what it is.
fn expand(scene: &Scene<'_>, name: &str, template: &str) -> Result<String, TemplateError> {
    let literal = "write '{{' and '}}' for braces that mean themselves";
    let mut value = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        value.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            value.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            value.push('}');
            rest = after;
        } else if let Some((placeholder, after)) =
            from.strip_prefix('{').and_then(|from| from.split_once('}'))
        {
            let known = lookup(scene, placeholder).ok_or_else(|| {
                TemplateError::new(format!(
                    "unknown placeholder '{{{}}}' in '{name}'",
                    printable(placeholder)
                ))
                .hint(format!("known here: {}", known(scene)))
                .hint(literal)
            })?;
            value.push_str(&known);
            rest = after;
        } else {
            let (brace, what) =
                if from.starts_with('{') { ('{', "never closed") } else { ('}', "never opened") };
            return Err(TemplateError::new(format!("'{brace}' in '{name}' is {what}")).hint(literal));
        }
    }
    value.push_str(rest);
    Ok(value)
}

fn lookup(scene: &Scene<'_>, placeholder: &str) -> Option<String> {
    let (service, field) = match placeholder {
        "project" => return Some(scene.project.to_string()),
        "worktree" => return Some(scene.worktree.to_owned()),
        "branch" => return Some(scene.branch.map(folder_slug).unwrap_or_default()),
        "environment" => return Some(scene.environment.to_string()),
        "port" | "url" => (primary(scene)?, placeholder),
        _ => {
            let (service, field) = placeholder.split_once('.')?;
            (scene.services.iter().find(|known| known.service.as_str() == service)?, field)
        }
    };
    match field {
        "port" => Some(service.port.to_string()),
        "url" => service.url.clone(),
        _ => None,
    }
}

/// Returns the placeholders that have a value here, as a hint names them.
fn known(scene: &Scene<'_>) -> String {
    let mut names = vec!["port".to_owned(), "url".to_owned()];
    for service in &scene.services {
        names.extend(["port", "url"].map(|field| format!("{}.{field}", service.service)));
    }
    names.extend(["project", "worktree", "branch", "environment"].map(str::to_owned));
    names.retain(|name| lookup(scene, name).is_some());
    names.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
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
    fn a_worktree_without_services_has_its_own_variables() {
        let variables = run(&[], None, &[("B", "<{branch}>")]).unwrap();
        assert_eq!(lines(&variables)[3..], ["B=<>"]);
    }

    #[test]
    fn an_unknown_placeholder_is_named_with_the_known_ones() {
        for placeholder in
            ["{prot}", "{cache.port}", "{db.url}", "{db.host}", "{}", "{ port }", "{\u{1b}[2J}"]
        {
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
        for (value, what) in [("a{port", "'{' in 'X' is never closed"), ("a}", "'}' in 'X' is never opened")]
        {
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
        for name in
            ["PATH", "LD_PRELOAD", "GIT_DIR", "BASH_ENV", "HTTP_PROXY", "PYTHONPATH", "GIT_PORT_X", "UID"]
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
}
