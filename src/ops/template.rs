//! Renders templates: the built-in ones, the user's own, and those of a repository that is trusted.

mod write;

use std::fs;
use std::path::{Path, PathBuf};

use super::allocate::dev_command;
use super::env;
use super::standing::{self, Standing};
use super::trust;
use crate::config::nearest;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::scope::folder_slug;
use crate::registry::{EnvironmentName, ServiceName};
use crate::system::files;
use crate::template::block::Comment;
use crate::template::compose::{self, Override};
use crate::template::detect::containers;
use crate::template::frameworks::{FRAMEWORKS, Framework, Place};
use crate::template::render::{render, usual_port};
use crate::template::{Format, ServiceValues, Values, shell};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct TemplateRequest {
    /// The template.
    pub name: String,
    /// The service it is for; the one called as the template, else the primary one.
    pub service: Option<ServiceName>,
    /// The environment; `dev` if none is named.
    pub environment: Option<EnvironmentName>,
    /// Another file than its own, from the top of the worktree.
    pub into: Option<String>,
    /// What to do with the text.
    pub act: Act,
}

/// What to do with a rendered text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Act {
    /// Return it.
    #[default]
    Show,
    /// Compare it with its file.
    Compare,
    /// Write it into its file.
    Write,
    /// Say what would be written.
    DryRun,
}

/// A template there is.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The file it belongs in, if it is known.
    pub file: Option<String>,
    /// What it does.
    pub about: String,
    /// On what it rests; none where it is not ours.
    pub tried: Option<String>,
    /// Whether it may be used.
    pub trusted: bool,
}

/// Where a template comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program.
    BuiltIn,
    /// The user's configuration folder.
    User,
    /// The repository.
    Repository,
}

impl Origin {
    /// Returns the word for it, which scripts rely on.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::User => "user",
            Self::Repository => "repository",
        }
    }
}

/// A rendered template, and what became of it.
#[derive(Debug)]
pub struct Templated {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The file it belongs in, if it is known.
    pub file: Option<String>,
    /// The text.
    pub text: String,
    /// On what it rests; none where it is not ours.
    pub tried: Option<String>,
    /// How to tell that it works; none where it is not ours.
    pub check: Option<String>,
    /// The unified diff of its file, where that was asked for.
    pub diff: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// What became of a text.
#[derive(Debug)]
pub enum Outcome {
    /// It was only rendered.
    Shown,
    /// Its file has it already.
    Unchanged,
    /// It was written.
    Written,
    /// It would be written.
    WouldBeWritten,
    /// It has to be put in by hand; why.
    ByHand(&'static str),
    /// Its file is somebody else's.
    Conflict(Error),
}

/// Whether ports are allocated for a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// It names variables alone.
    Nothing,
    /// It holds ports, and makes sense without.
    PortsIfPossible,
    /// It is nothing without ports.
    Ports,
}

/// A template, found by its name.
struct Source {
    name: String,
    origin: Origin,
    /// What an error calls it.
    label: String,
    text: String,
    framework: Option<&'static Framework>,
}

/// Returns the templates there are; of two with a name, the one that counts.
pub fn list(ctx: &mut Context) -> Result<Vec<Known>> {
    let mut known: Vec<Known> = Vec::new();
    for (name, _) in user_templates(ctx)? {
        let about = "your own".to_owned();
        known.push(Known { name, origin: Origin::User, file: None, about, tried: None, trusted: true });
    }
    if let Some(standing) = Standing::find(ctx)? {
        let found = trust::load(ctx, &standing)?;
        for template in found.templates {
            let about = if found.trusted { "this repository's" } else { "this repository's; not trusted" };
            let shadowed = Framework::find(&template.name).is_some() && !found.trusted;
            if !shadowed && !known.iter().any(|one| one.name == template.name) {
                known.push(Known {
                    name: template.name,
                    origin: Origin::Repository,
                    file: None,
                    about: about.to_owned(),
                    tried: None,
                    trusted: found.trusted,
                });
            }
        }
    }
    let built_in = FRAMEWORKS.iter().filter(|framework| !known.iter().any(|one| one.name == framework.name));
    let mut all: Vec<Known> = built_in
        .map(|framework| Known {
            name: framework.name.to_owned(),
            origin: Origin::BuiltIn,
            file: Some(framework.file.to_owned()),
            about: framework.about.to_owned(),
            tried: Some(framework.tried()),
            trusted: true,
        })
        .collect();
    all.append(&mut known);
    Ok(all)
}

/// Renders a template for the worktree one stands in, and writes it if that is asked for.
pub fn template(ctx: &mut Context, request: &TemplateRequest) -> Result<Templated> {
    if !trust::is_template_name(&request.name) {
        return Err(Error::usage(format!("'{}' is not the name of a template", request.name))
            .hint("see which there are: git port template --list"));
    }
    let standing = Standing::here(ctx)?;
    let mut warnings = Vec::new();
    let source = find(ctx, &standing, &request.name, &mut warnings)?;
    let is_builtin = |name: &str| source.framework.is_some_and(|framework| framework.name == name);
    check_request(&standing, request, is_builtin("dotenv"))?;
    let compose_file =
        if is_builtin("docker-compose") { find_compose_file(&standing.worktree.path)? } else { None };
    // The others name variables, not ports, and are as true before there are any.
    let needs = match source.framework {
        None => Needs::Ports,
        Some(_) if is_builtin("dotenv") => Needs::Ports,
        Some(framework) if framework.place == Place::Local => Needs::PortsIfPossible,
        Some(_) => Needs::Nothing,
    };
    let mut values = values(ctx, &standing, request, needs, source.framework)?;
    if is_builtin("docker-compose") {
        let configured = !standing.settings.services.is_empty();
        let found = match &compose_file {
            Some((file, _, text)) => compose::from_file(file, text, &values, configured)?,
            None => without_compose_file(&values, configured),
        };
        warnings.extend(found.notes.iter().cloned());
        values.compose = Some(found);
    }
    let body = render(&source.label, &source.text, &values)?;
    let own_file = match source.framework {
        Some(_) if is_builtin("dotenv") => Some(values.env_file.clone()),
        Some(framework) => {
            Some(compose_file.map_or(framework.file, |(_, overriding, _)| overriding).to_owned())
        }
        None => None,
    };
    let into = request.into.clone().filter(|file| own_file.as_ref() != Some(file));
    let file = into.clone().or(own_file);
    let header = match (source.framework, &file) {
        (Some(framework), Some(file)) if !is_builtin("dotenv") => framework.header(file),
        _ => String::new(),
    };
    let mut templated = Templated {
        text: header + &body,
        tried: source.framework.map(Framework::tried),
        check: source.framework.map(|framework| framework.check.to_owned()),
        name: source.name,
        origin: source.origin,
        file,
        diff: None,
        outcome: Outcome::Shown,
        warnings,
    };
    if request.act != Act::Show {
        let whole = into.is_none() && is_builtin("dotenv");
        let place = source.framework.map_or(Place::File, |framework| framework.place);
        let comment = match (&into, &templated.file) {
            (None, _) if source.framework.is_some() => {
                source.framework.map_or(Comment::None, |one| one.comment)
            }
            (_, Some(file)) => Comment::of_file(file),
            (_, None) => Comment::None,
        };
        let delivery = write::Delivery {
            act: request.act,
            place,
            comment,
            append: into.is_some() && is_builtin("dotenv"),
            whole,
        };
        write::deliver(ctx, &standing, &delivery, &mut templated)?;
    }
    Ok(templated)
}

/// Fails on a request that cannot be met, before anything is allocated for it.
fn check_request(standing: &Standing, request: &TemplateRequest, is_dotenv: bool) -> Result<()> {
    let env_file = &standing.settings.worktree.env_file;
    let into = request.into.as_ref().filter(|file| !is_dotenv || *file != env_file);
    if let Some(file) = into {
        write::inside(&standing.worktree.path, file)?;
        if is_dotenv && Comment::of_file(file).prefix().is_none() {
            return Err(Error::usage(format!("it is not known how '{file}' writes a comment"))
                .hint("name a file such as '.env.local'"));
        }
    }
    let environment = request.environment.as_ref().filter(|name| **name != EnvironmentName::dev());
    if is_dotenv && into.is_none() && request.act != Act::Show && environment.is_some() {
        return Err(Error::usage(format!("'{env_file}' holds the ports of 'dev' alone"))
            .hint("write into another file: --into <file>"));
    }
    Ok(())
}

/// The user's own win, then a trusted repository's, then the built-in ones.
fn find(ctx: &Context, standing: &Standing, name: &str, warnings: &mut Vec<String>) -> Result<Source> {
    let own = user_templates(ctx)?.into_iter().find(|(known, _)| known == name);
    if let Some((name, path)) = own {
        let text = files::load_text(&path)?.unwrap_or_default();
        let label = path.to_string_lossy().into_owned();
        return Ok(Source { name, origin: Origin::User, label, text, framework: None });
    }
    let framework = Framework::find(name);
    let found = trust::load(ctx, standing)?;
    if let Some(template) = found.templates.iter().find(|template| template.name == name) {
        if found.trusted {
            return Ok(Source {
                name: template.name.clone(),
                origin: Origin::Repository,
                label: template.path.to_string_lossy().into_owned(),
                text: template.text.clone(),
                framework: None,
            });
        }
        let refusal = trust::refusal(&found, name);
        if framework.is_none() {
            return Err(refusal);
        }
        warnings.push(format!("the built-in template is used: {}", refusal.message));
    }
    let Some(framework) = framework else {
        let error = Error::new(ErrorKind::NotFound, format!("there is no template '{name}'"));
        let near = nearest(name, FRAMEWORKS.iter().map(|one| one.name));
        return Err(match near {
            Some(near) => error.hint(format!("did you mean '{near}'? git port template {near}")),
            None => error,
        }
        .hint("see which there are: git port template --list"));
    };
    Ok(Source {
        name: framework.name.to_owned(),
        origin: Origin::BuiltIn,
        label: framework.name.to_owned(),
        text: framework.text.to_owned(),
        framework: Some(framework),
    })
}

/// Returns the user's own templates, by name.
fn user_templates(ctx: &Context) -> Result<Vec<(String, PathBuf)>> {
    let folder = ctx.dirs.config.join("templates");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if files::is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(crate::system::SystemError::file("read", &folder)(error).into()),
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(stem) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let Some(name) = stem.strip_suffix(".j2").map(str::to_owned) else { continue };
        if !trust::is_template_name(&name) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("'{}' is not the name of a template", path.display()),
            )
            .hint("it is lower-case letters, digits and '-', beginning with a letter, then '.j2'"));
        }
        if path.is_file() {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the Compose file of a worktree, the override that goes with it, and its text.
fn find_compose_file(top: &Path) -> Result<Option<(&'static str, &'static str, String)>> {
    for (name, overriding) in containers::FILES {
        let path = top.join(name);
        if path.is_file() {
            return Ok(files::load_text(&path)?.map(|text| (*name, *overriding, text)));
        }
    }
    Ok(None)
}

/// Without a Compose file and without configuration, one service stands for all: the worktree's port.
fn without_compose_file(values: &Values, configured: bool) -> Override {
    let mut found = if configured {
        compose::from_services(values)
    } else {
        let web = ServiceValues { name: "web".to_owned(), ..values.primary.clone() };
        compose::from_services(&Values { services: vec![web], ..values.clone() })
    };
    found.notes.push(
        "there is no Compose file: put the ports on which your containers listen behind the last ':'"
            .to_owned(),
    );
    found
}

fn values(
    ctx: &mut Context,
    standing: &Standing,
    request: &TemplateRequest,
    needs: Needs,
    framework: Option<&Framework>,
) -> Result<Values> {
    let environment = standing::environment(&standing.settings, request.environment.as_ref())?;
    let environmental = match env::env_in(ctx, standing, Some(&environment), needs != Needs::Nothing) {
        Ok(environmental) => Some(environmental),
        Err(error) if needs == Needs::Ports => return Err(error),
        Err(_) => None,
    };
    let allocations = environmental.as_ref().map(|one| one.allocations.as_slice()).unwrap_or_default();
    let mut names: Vec<ServiceName> = standing.default_services();
    let others = allocations.iter().map(|allocation| allocation.service.clone());
    for name in others.collect::<Vec<_>>() {
        // What was asked for by name comes behind what is configured; alone, it is all there is.
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if standing.settings.services.is_empty() && !allocations.is_empty() {
        names.retain(|name| allocations.iter().any(|allocation| allocation.service == *name));
    }
    let has_primary = allocations.iter().any(|allocation| allocation.primary);
    let services: Vec<ServiceValues> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let allocation = allocations.iter().find(|allocation| allocation.service == *name);
            let settings = standing.settings.service(name);
            let own = format!("{}_PORT", name.variable_stem());
            let prefer = settings.and_then(|settings| settings.prefer).map(crate::registry::Port::number);
            ServiceValues {
                name: name.to_string(),
                port: allocation.map(|allocation| allocation.port.number()),
                variable: settings.and_then(|settings| settings.variables.first().cloned()).unwrap_or(own),
                url: allocation.and_then(crate::registry::Allocation::url),
                default_port: prefer.unwrap_or_else(|| usual_port(name.as_str(), index)),
                primary: allocation.map_or(!has_primary && index == 0, |allocation| allocation.primary),
            }
        })
        .collect();
    let chosen = services.iter().find(|service| service.primary).or(services.first());
    let Some(primary) =
        chosen.map(|service| ServiceValues { variable: "PORT".to_owned(), ..service.clone() })
    else {
        return Err(Error::new(ErrorKind::NotFound, "the worktree has no services"));
    };
    let of_name = |name: &str| services.iter().find(|service| service.name == name);
    let service = match &request.service {
        Some(name) => of_name(name.as_str()).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no service '{name}' in this worktree"))
                .hint(format!("add '[services.{name}]' to '.git-port.toml'"))
        })?,
        None => framework.and_then(|framework| of_name(framework.name)).unwrap_or(&primary),
    };
    let service = if service.name == primary.name { primary.clone() } else { service.clone() };
    let lines = match &environmental {
        Some(environmental) if needs == Needs::Ports => {
            shell::render(Format::Dotenv, &environmental.variables)?
        }
        _ => String::new(),
    };
    Ok(Values {
        project: standing.project.to_string(),
        worktree: folder_slug(&standing.worktree.name()),
        branch: standing.worktree.branch().map(|branch| folder_slug(&branch)).unwrap_or_default(),
        environment: environment.to_string(),
        services,
        primary,
        service,
        command: dev_command(&standing.worktree.path).unwrap_or_else(|| "npm run dev".to_owned()),
        env_file: standing.settings.worktree.env_file.clone(),
        variables: lines.lines().map(str::to_owned).collect(),
        compose: None,
    })
}
