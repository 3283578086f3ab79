//! A worktree's ports as programs read them: one port, the variables, a URL.

use super::allocate::{self, AllocateRequest, ServiceRequest};
use super::standing::{self, Standing};
use super::{at_hand, copies, discover};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::identity;
use crate::registry::scope::folder_slug;
use crate::registry::{Allocation, EnvironmentName, ProjectName, ServiceName};
use crate::store::{self, Filter};
use crate::system::browser;
use crate::template::variables::{self, Scene, ServicePort, Variable};

/// Which port is asked for.
#[derive(Clone, Debug, Default)]
pub struct GetRequest {
    /// Of this other project, in which nothing is allocated.
    pub project: Option<ProjectName>,
    /// The service; the primary one if none is named.
    pub service: Option<ServiceName>,
    /// The environment; `dev` if none is named.
    pub environment: Option<EnvironmentName>,
    /// Allocate it if there is none.
    pub allocate: bool,
    /// Which conversation or agent asks.
    pub session: Option<String>,
}

/// Returns what [`get`] would, if the worktree's own copy is sure to hold it.
pub fn find_at_hand(ctx: &mut Context, request: &GetRequest) -> Option<Allocation> {
    if request.project.is_some() {
        return None;
    }
    let (standing, allocations) = at_hand::find(ctx)?;
    let allocations = of_environment(&standing, allocations, request.environment.as_ref())?;
    find_wanted(&allocations, request.service.as_ref()).cloned()
}

/// Returns those of a worktree's allocations that are of one environment, unless it is one whose
/// allocations are not the worktree's, or the registry must be asked about it.
fn of_environment(
    standing: &Standing,
    mut allocations: Vec<Allocation>,
    environment: Option<&EnvironmentName>,
) -> Option<Vec<Allocation>> {
    let environment = standing::environment(&standing.settings, environment).ok()?;
    allocations.retain(|allocation| allocation.environment == environment);
    (!environment.is_production()).then_some(allocations)
}

fn find_wanted<'a>(allocations: &'a [Allocation], service: Option<&ServiceName>) -> Option<&'a Allocation> {
    allocations.iter().find(|allocation| match service {
        Some(service) => allocation.service == *service,
        None => allocation.primary,
    })
}

/// Returns the allocation of a service in the worktree one stands in, allocating it if there is none and
/// the request lets us.
pub fn get(ctx: &mut Context, request: &GetRequest) -> Result<Allocation> {
    if let (Some(project), Some(service)) = (&request.project, &request.service) {
        let standing = Standing::find(ctx)?;
        let settings = match &standing {
            Some(standing) => standing.settings.clone(),
            None => ctx.settings(None, None)?,
        };
        let environment = standing::environment(&settings, request.environment.as_ref())?;
        let branch = standing.and_then(|standing| standing.worktree.branch());
        return discover::find(ctx, project, service, &environment, branch.as_deref());
    }
    let standing = Standing::here(ctx)?;
    let environment = standing::environment(&standing.settings, request.environment.as_ref())?;
    copies::mend(ctx, &standing);
    at_hand::note(ctx, &standing.worktree);
    // A production service is no worktree's, so none of them is the one `PORT` stands for.
    let first = || standing.default_services().into_iter().next().filter(|_| environment.is_production());
    let service = request.service.clone().or_else(first);
    let wanted = |allocations: &[Allocation]| find_wanted(allocations, service.as_ref()).cloned();
    if let Some(allocation) = wanted(&allocations(ctx, &standing, &environment)?) {
        return Ok(allocation);
    }
    if !request.allocate {
        let what =
            request.service.as_ref().map_or_else(|| "the worktree".to_owned(), |name| format!("'{name}'"));
        let service = request.service.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        return Err(Error::new(ErrorKind::NotFound, format!("{what} has no port in '{environment}'"))
            .hint(format!("allocate one: git port get{service}")));
    }
    let services = request.service.iter().cloned().map(ServiceRequest::any).collect();
    let allocate = AllocateRequest {
        services,
        environment: Some(environment.clone()),
        session: request.session.clone(),
        ..AllocateRequest::default()
    };
    let allocated = allocate::allocate_in(ctx, &standing, allocate)?;
    let placed: Vec<Allocation> = allocated.placed.into_iter().map(|placed| placed.allocation).collect();
    wanted(&placed).or_else(|| placed.first().cloned()).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("the worktree has no primary port in '{environment}'"))
    })
}

/// A service with its URL.
#[derive(Clone, Debug)]
pub struct Located {
    /// The allocation.
    pub allocation: Allocation,
    /// Its URL.
    pub url: String,
}

/// Returns where a browser finds the service asked for; by a host name of the worktree's own if `named`.
pub fn locate(ctx: &mut Context, request: &GetRequest, named: bool) -> Result<Located> {
    let allocation = get(ctx, request)?;
    let url = if named { allocation.named_url() } else { allocation.url() };
    let Some(url) = url else {
        let message = format!("'{}' is no service that one opens in a browser", allocation.service);
        return Err(Error::new(ErrorKind::NotFound, message)
            .hint(format!("its port: git port get {}", allocation.service)));
    };
    Ok(Located { allocation, url })
}

/// Opens the service asked for in the browser.
pub fn open(ctx: &mut Context, request: &GetRequest, named: bool) -> Result<Located> {
    let located = locate(ctx, request, named)?;
    browser::open(&located.url)?;
    Ok(located)
}

/// A worktree's variables.
#[derive(Clone, Debug)]
pub struct Environmental {
    /// The variables, in the order in which they are written.
    pub variables: Vec<Variable>,
    /// The allocations behind them.
    pub allocations: Vec<Allocation>,
}

/// Returns what [`env()`] would, if the worktree's own copy is sure to hold it.
pub fn find_env_at_hand(
    ctx: &mut Context,
    environment: Option<&EnvironmentName>,
) -> Option<Result<Environmental>> {
    let (standing, allocations) = at_hand::find(ctx)?;
    let allocations = of_environment(&standing, allocations, environment)?;
    if allocations.is_empty() || is_service_missing(&standing, &allocations) {
        return None;
    }
    let environment = standing::environment(&standing.settings, environment).ok()?;
    let variables = variables(ctx, &standing, &environment, &allocations);
    Some(variables.map(|variables| Environmental { variables, allocations }))
}

fn is_service_missing(standing: &Standing, allocations: &[Allocation]) -> bool {
    let has = |name: &ServiceName| allocations.iter().any(|allocation| allocation.service == *name);
    standing.settings.services.iter().any(|service| !has(&service.name))
}

/// Returns the variables of the worktree one stands in, allocating its services if it has none.
pub fn env(
    ctx: &mut Context,
    environment: Option<&EnvironmentName>,
    allocate: bool,
) -> Result<Environmental> {
    let standing = Standing::here(ctx)?;
    env_in(ctx, &standing, environment, allocate)
}

/// Returns the variables of this worktree, allocating its services if it has none.
pub fn env_in(
    ctx: &mut Context,
    standing: &Standing,
    environment: Option<&EnvironmentName>,
    allocate: bool,
) -> Result<Environmental> {
    let environment = standing::environment(&standing.settings, environment)?;
    copies::mend(ctx, standing);
    at_hand::note(ctx, &standing.worktree);
    let mut allocations = allocations(ctx, standing, &environment)?;
    if allocate && (allocations.is_empty() || is_service_missing(standing, &allocations)) {
        let request =
            AllocateRequest { environment: Some(environment.clone()), ..AllocateRequest::default() };
        match allocate::allocate_in(ctx, standing, request) {
            Ok(_) => allocations = self::allocations(ctx, standing, &environment)?,
            // What there is, is better than nothing: reading goes on in a sandbox.
            Err(error) if allocations.is_empty() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(Environmental { variables: variables(ctx, standing, &environment, &allocations)?, allocations })
}

/// Returns the live allocations of a worktree in one environment: from the registry, or from the
/// worktree's own copy where the registry cannot be opened.
pub fn allocations(
    ctx: &mut Context,
    standing: &Standing,
    environment: &EnvironmentName,
) -> Result<Vec<Allocation>> {
    let mut filter = Filter { environment: Some(environment.clone()), ..Filter::live() };
    if environment.is_production() {
        // They are allocated for the project, so that they outlive the worktree.
        filter.host = Some(ctx.host.key.clone());
        filter.project = Some(standing.project.clone());
    } else {
        let Some(token) = identity::find_token(&standing.worktree)? else { return Ok(Vec::new()) };
        filter.worktree = Some(token);
    }
    let asked = ctx.store().and_then(|store| Ok(store::read(store, |rows| rows.allocations(&filter))?));
    asked.or_else(|error| {
        let mut copied = copies::load(&standing.worktree).ok_or(error)?;
        copied.retain(|allocation| allocation.environment == *environment);
        Ok(copied)
    })
}

/// Returns the variables that carry these allocations.
pub fn variables(
    ctx: &mut Context,
    standing: &Standing,
    environment: &EnvironmentName,
    allocations: &[Allocation],
) -> Result<Vec<Variable>> {
    // In the order of the configuration; what is not configured follows.
    let rank = |allocation: &Allocation| {
        let services = &standing.settings.services;
        services.iter().position(|service| service.name == allocation.service).unwrap_or(services.len())
    };
    let mut ordered: Vec<&Allocation> = allocations.iter().collect();
    ordered.sort_by_key(|allocation| (rank(allocation), !allocation.primary, allocation.port));
    let services = ordered
        .into_iter()
        .map(|allocation| ServicePort {
            service: &allocation.service,
            port: allocation.port,
            url: allocation.url(),
            primary: allocation.primary,
            variables: standing
                .settings
                .service(&allocation.service)
                .map_or(&[][..], |service| service.variables.as_slice()),
        })
        .collect();
    let foreign = discover::foreign(ctx, standing, environment);
    let label = folder_slug(&standing.worktree.name());
    let branch = standing.worktree.branch();
    let scene = Scene {
        project: &standing.project,
        worktree: &label,
        branch: branch.as_deref(),
        environment,
        services,
        derived: &standing.settings.derived,
        foreign: &foreign,
    };
    Ok(variables::variables(&scene)?)
}
