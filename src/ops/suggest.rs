//! Suggests a port for a service, and says why. Nothing is allocated.

use super::allocate;
use super::env;
use super::standing::{self, Standing};
use crate::config::Settings;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::allocator::{self, Landscape, Probe, Strategy, Wish};
use crate::registry::{
    EnvironmentName, Port, PortRange, ProjectName, Protocol, ServiceName, Used, avoided, suggestion,
};
use crate::store;
use crate::system::probe;
use crate::template::detect;
use crate::template::render;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct SuggestRequest {
    /// The service.
    pub service: ServiceName,
    /// The environment; `dev` if none is named.
    pub environment: Option<EnvironmentName>,
    /// For this project; else the one of the worktree one stands in.
    pub project: Option<ProjectName>,
    /// What kind of service it is; else what its name says.
    pub service_type: Option<String>,
    /// The port it has elsewhere, by which it is remembered; else that of the program it is named after.
    pub like: Option<Port>,
}

/// A suggestion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggested {
    /// The service.
    pub service: ServiceName,
    /// What kind of service it is taken for.
    pub service_type: String,
    /// The environment.
    pub environment: EnvironmentName,
    /// The port.
    pub port: Port,
    /// Why this one.
    pub reason: String,
    /// Whether the service has it already.
    pub allocated: bool,
}

/// Suggests a port for a service.
pub fn suggest(ctx: &mut Context, request: &SuggestRequest) -> Result<Suggested> {
    let standing = if request.project.is_some() { None } else { Standing::find(ctx)? };
    let settings = match &standing {
        Some(standing) => standing.settings.clone(),
        None => ctx.settings(None, None)?,
    };
    let environment = standing::environment(&settings, request.environment.as_ref())?;
    let configured = settings.service(&request.service).cloned();
    let of_settings = configured.as_ref().and_then(|service| service.service_type.clone());
    let by_name = || detect::kind(request.service.as_str()).to_owned();
    let service_type = request.service_type.clone().or(of_settings).unwrap_or_else(by_name);
    let suggested = |port, reason, allocated| Suggested {
        service: request.service.clone(),
        service_type: service_type.clone(),
        environment: environment.clone(),
        port,
        reason,
        allocated,
    };
    if let Some(standing) = &standing {
        let own = env::allocations(ctx, standing, &environment)?;
        if let Some(own) = own.iter().find(|one| one.service == request.service) {
            return Ok(suggested(own.port, "it has this port already".to_owned(), true));
        }
    }
    let project = request.project.clone().or_else(|| standing.map(|standing| standing.project));
    let protocol = configured.as_ref().map(|service| service.protocol).unwrap_or_default();
    let market = Market::open(ctx, &settings, project.as_ref(), &environment, protocol)?;
    if let Some(port) = configured.and_then(|service| service.prefer).filter(|port| market.is_usable(*port)) {
        return Ok(suggested(port, "the configuration prefers it, and it is free".to_owned(), false));
    }
    let usual = request.like.or_else(|| usual(&request.service, &service_type));
    if let Some(usual) = usual
        && let Some(port) = market.near(usual)
    {
        let alike = if port.number() % 100 == usual.number() % 100 {
            "ends like"
        } else {
            "is next to what ends like"
        };
        return Ok(suggested(port, format!("it {alike} {usual}, its usual port, and is free"), false));
    }
    let port = market.first()?;
    let ranges: Vec<String> = market.ranges.iter().map(ToString::to_string).collect();
    let reason = format!(
        "it is the next free port of '{environment}' ({}), and neither a default of a framework nor one that \
         browsers refuse",
        ranges.join(", ")
    );
    Ok(suggested(port, reason, false))
}

/// Returns the port that a service of this name and kind has elsewhere, where people know it by its port.
pub(super) fn usual(service: &ServiceName, service_type: &str) -> Option<Port> {
    if !matches!(service_type, "db" | "cache" | "queue") {
        return None;
    }
    let known = render::known_port(service.as_str()).or_else(|| render::known_port(service_type));
    known.and_then(Port::new)
}

/// The ports there are for a project and an environment.
pub(super) struct Market {
    ranges: Vec<PortRange>,
    reserved: crate::registry::Ranges,
    used: Used,
    protocol: Protocol,
    environment: EnvironmentName,
}

impl Market {
    pub(super) fn open(
        ctx: &mut Context,
        settings: &Settings,
        project: Option<&ProjectName>,
        environment: &EnvironmentName,
        protocol: Protocol,
    ) -> Result<Self> {
        let host = ctx.host.key.clone();
        let (reserved, ranges, used) = store::read(ctx.store()?, |rows| -> Result<_, store::StoreError> {
            let reserved = allocate::ranges(settings, rows.reservations()?);
            let own = match project {
                Some(project) => reserved.of(project, environment).to_vec(),
                None => reserved.environments.get(environment).cloned().unwrap_or_default(),
            };
            let used = allocate::used(rows, &host, protocol, environment, own.iter().copied())?;
            Ok((reserved, own, used))
        })?;
        Ok(Self { ranges, reserved, used, protocol, environment: environment.clone() })
    }

    fn is_usable(&self, port: Port) -> bool {
        !self.used.is_live(port)
            && self.reserved.reservation(port).is_none()
            && avoided::reason(port).is_none()
            && matches!(probe::probe(port, self.protocol), Probe::Free | Probe::Unknown)
    }

    /// Returns a port that is remembered as the usual one is.
    pub(super) fn near(&self, usual: Port) -> Option<Port> {
        suggestion::near(usual, &self.ranges, |port| self.is_usable(port))
    }

    fn first(&self) -> Result<Port> {
        let landscape = Landscape {
            used: &self.used,
            ranges: &self.ranges,
            reserved: &self.reserved,
            strategy: Strategy::Sequential,
            force: false,
            documents: false,
        };
        let mut ask = |port| probe::probe(port, self.protocol);
        let chosen = allocator::choose(&[Wish::default()], &landscape, &mut ask);
        chosen.ok().and_then(|ports| ports.first().copied()).ok_or_else(|| {
            Error::new(ErrorKind::RangeFull, format!("no port is left for '{}'", self.environment))
                .hint("see who has them: git port list --all")
        })
    }
}
