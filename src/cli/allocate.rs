//! `git port allocate`

use super::session;
use crate::api::views::{AllocationView, AllocationsView};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ops::allocate::{self, AllocateRequest, ServiceRequest};
use crate::output::{Output, text};
use crate::registry::{EnvironmentName, Port, ProjectName, Protocol, ServiceName};
use crate::template::dev_command;

/// Ensure that services have their ports
///
/// The same worktree and service always get the same port.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "git port allocate [OPTIONS] <service>... [<environment>] [<port>]",
    after_help = "Examples:\n  \
    git port allocate api-server                   the next free port in dev\n  \
    git port allocate web-app production           a production port\n  \
    git port allocate frontend dev 8080            this port, or an error\n  \
    git port allocate web api db                   three neighbours\n  \
    git port allocate nginx production 443 --project edge"
)]
pub(super) struct Args {
    /// Services, then at will an environment and a port
    #[arg(required = true, value_name = "service", num_args = 1..)]
    words: Vec<String>,
    /// The environment [default: dev]
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
    /// It must be this port
    #[arg(short, long, value_name = "n", conflicts_with = "prefer")]
    port: Option<Port>,
    /// This port, or else the next free
    #[arg(long, value_name = "n")]
    prefer: Option<Port>,
    /// Move to another port
    #[arg(long)]
    new: bool,
    /// What it is for
    #[arg(long, value_name = "text")]
    description: Option<String>,
    /// What kind of service it is: web, api, db, …
    #[arg(long = "type", value_name = "kind")]
    service_type: Option<String>,
    /// tcp or udp [default: tcp, or as configured]
    #[arg(long, value_name = "protocol")]
    protocol: Option<Protocol>,
    /// The name it is reached by from outside
    #[arg(long, value_name = "name", value_parser = super::public_hostname)]
    public_hostname: Option<String>,
    /// For this project, without a worktree
    #[arg(long, value_name = "name")]
    project: Option<ProjectName>,
    /// Note which conversation or agent asks [default: $GIT_PORT_SESSION]
    #[arg(long, value_name = "name")]
    session: Option<String>,
    /// Take a reserved port, or one in use
    #[arg(short, long)]
    force: bool,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let known = ctx.settings(None, None)?;
        let is_environment = |name: &EnvironmentName| known.ranges.contains_key(name);
        let Words { services, environment, port } = parse_words(&self.words, &is_environment)?;
        let environment = one("environment", environment, self.environment)?;
        let exactly = one("port", port, self.port)?;
        if services.len() > 1 && (exactly.is_some() || self.prefer.is_some()) {
            return Err(Error::usage("a port can be named for one service only")
                .hint("allocate the others by themselves"));
        }
        let wanted = |service| ServiceRequest { service, exactly, prefer: self.prefer };
        let request = AllocateRequest {
            services: services.into_iter().map(wanted).collect(),
            environment,
            project: self.project,
            protocol: self.protocol,
            description: self.description,
            service_type: self.service_type,
            public_hostname: self.public_hostname,
            session: session(self.session, ctx)?,
            new: self.new,
            force: self.force,
        };
        let allocated = allocate::allocate(ctx, request)?;
        out.warnings(&allocated.warnings);
        if out.is_json() {
            let view = |placed| AllocationView::placed(placed, &ctx.host.name);
            let allocations = allocated.placed.iter().map(view).collect();
            out.object(AllocationsView { allocations, warnings: allocated.warnings });
        } else {
            text::allocated(out, &allocated, usage(&allocated).as_deref());
        }
        Ok(0)
    }
}

/// A production service is started elsewhere.
fn usage(allocated: &allocate::Allocated) -> Option<String> {
    let first = &allocated.placed.first()?.allocation;
    let top = first.path.as_deref()?;
    let command = allocate::dev_command(top);
    Some(dev_command::usage(first.port, command.as_deref()))
}

/// What the positional words of the command line say.
struct Words {
    services: Vec<ServiceName>,
    environment: Option<EnvironmentName>,
    port: Option<Port>,
}

/// The first word is a service, whatever it is called; behind it a number is a port, and the name of an
/// environment is one.
fn parse_words(words: &[String], is_environment: &dyn Fn(&EnvironmentName) -> bool) -> Result<Words> {
    let mut rest = words;
    let mut port = None;
    if let [first @ .., last] = rest
        && !first.is_empty()
        && last.starts_with(|c: char| c.is_ascii_digit())
    {
        port = Some(last.parse()?);
        rest = first;
    }
    let mut environment = None;
    if let [first @ .., last] = rest {
        let named = last.parse().ok().filter(|name| is_environment(name));
        if !first.is_empty() && named.is_some() {
            environment = named;
            rest = first;
        }
    }
    let services = rest.iter().map(|word| word.parse()).collect::<Result<Vec<ServiceName>, _>>()?;
    Ok(Words { services, environment, port })
}

fn one<T: PartialEq + std::fmt::Display>(
    what: &str,
    word: Option<T>,
    option: Option<T>,
) -> Result<Option<T>> {
    match (word, option) {
        (Some(word), Some(option)) if word != option => {
            Err(Error::usage(format!("two {what}s are named: '{word}' and '{option}'")))
        }
        (word, option) => Ok(word.or(option)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> (String, Option<String>, Option<u16>) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let known = |name: &EnvironmentName| ["dev", "test", "production"].contains(&name.as_str());
        let words = parse_words(&words, &known).unwrap();
        let services: Vec<_> = words.services.iter().map(ServiceName::as_str).collect();
        (services.join(" "), words.environment.map(|name| name.to_string()), words.port.map(Port::number))
    }

    #[test]
    fn words_are_services_then_an_environment_then_a_port() {
        assert_eq!(parse("api-server"), ("api-server".into(), None, None));
        assert_eq!(parse("web-app production"), ("web-app".into(), Some("production".into()), None));
        assert_eq!(parse("frontend dev 8080"), ("frontend".into(), Some("dev".into()), Some(8080)));
        assert_eq!(parse("web api db 8080"), ("web api db".into(), None, Some(8080)));
        assert_eq!(
            parse("test"),
            ("test".into(), None, None),
            "a service may be called as an environment is"
        );
        assert_eq!(parse("test test"), ("test".into(), Some("test".into()), None));
    }
}
