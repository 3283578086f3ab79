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

/// A service of another project, as placeholders name it: `{project/service.port}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The other project.
    pub project: ProjectName,
    /// Its service.
    pub service: ServiceName,
    /// The service's port.
    pub port: Port,
    /// Its URL, where it speaks HTTP.
    pub url: Option<String>,
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
    /// The services of other projects that `derived` names, as far as they have ports.
    pub foreign: &'a [Foreign],
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
                if let Some((project, service)) = foreign_service(placeholder) {
                    let what = format!("'{project}/{service}'");
                    let field = placeholder.rsplit('.').next().unwrap_or_default();
                    return TemplateError::new(format!(
                        "{what} has no {} here, which '{name}' names",
                        printable(field)
                    ))
                    .hint(format!("see what that project has: git port list --project {project}"));
                }
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

/// Returns the service of another project that a placeholder names.
fn foreign_service(placeholder: &str) -> Option<(ProjectName, ServiceName)> {
    let (project, rest) = placeholder.split_once('/')?;
    let (service, _) = rest.split_once('.')?;
    Some((project.parse().ok()?, service.parse().ok()?))
}

/// Returns the services of other projects that these values name, each once.
pub fn foreign_services(derived: &[(String, String)]) -> Vec<(ProjectName, ServiceName)> {
    let mut found = Vec::new();
    for (_, template) in derived {
        let inner = template.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        for service in inner.filter_map(|(placeholder, _)| foreign_service(placeholder)) {
            if !found.contains(&service) {
                found.push(service);
            }
        }
    }
    found
}

fn lookup(scene: &Scene<'_>, placeholder: &str) -> Option<String> {
    if let Some((project, service)) = foreign_service(placeholder) {
        let known =
            scene.foreign.iter().find(|known| known.project == project && known.service == service)?;
        return match placeholder.rsplit('.').next()? {
            "port" => Some(known.port.to_string()),
            "url" => known.url.clone(),
            _ => None,
        };
    }
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
mod tests;
