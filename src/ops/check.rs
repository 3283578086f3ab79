//! Is this port free, and if not, whose is it?

use super::allocate;
use super::list::{self, Listed};
use super::machine::Machine;
use crate::context::Context;
use crate::error::Result;
use crate::registry::allocator::Probe;
use crate::registry::{Port, Protocol, avoided};
use crate::store::{self, Filter};
use crate::system::probe;
use crate::system::process::Process;

/// What is known of a port.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The port.
    pub port: Port,
    /// For which protocol.
    pub protocol: Protocol,
    /// Who has it in the registry.
    pub owner: Option<Listed>,
    /// What the machine says.
    pub probe: Probe,
    /// Who listens on it, as far as may be read.
    pub process: Option<Process>,
    /// Why it is reserved, if it is.
    pub reserved: Option<String>,
    /// Why it is avoided, if it is.
    pub avoided: Option<&'static str>,
}

impl Checked {
    /// Says whether anybody may have it; none if that cannot be determined.
    pub fn is_free(&self) -> Option<bool> {
        match (&self.owner, self.probe) {
            (Some(_), _) | (None, Probe::InUse) => Some(false),
            (None, Probe::Free) => Some(true),
            (None, Probe::Denied | Probe::Unknown) => None,
        }
    }
}

/// Returns what registry and machine say of each port.
pub fn check(ctx: &mut Context, ports: &[Port], protocol: Protocol) -> Result<Vec<Checked>> {
    let repo = ctx.find_repo()?;
    let top = repo.as_ref().and_then(|repo| repo.worktree.clone());
    let settings = ctx.settings(repo.as_ref(), top.as_deref())?;
    let host = ctx.host.key.clone();
    let mut machine = Machine::look(ports.iter().map(|port| (*port, protocol)));
    let mut checked = Vec::with_capacity(ports.len());
    for port in ports {
        let filter = Filter {
            host: Some(host.clone()),
            protocol: Some(protocol),
            port: Some(*port),
            ..Filter::live()
        };
        let (owners, reservations) = store::read(ctx.store()?, |rows| -> Result<_, store::StoreError> {
            Ok((rows.allocations(&filter)?, rows.reservations()?))
        })?;
        let ranges = allocate::ranges(&settings, reservations);
        let reserved =
            ranges.reservation(*port).map(|reservation| reservation.reason.clone().unwrap_or_default());
        let owner = list::states_on(ctx, &mut machine, owners)?.pop();
        let first = || machine.processes(*port, protocol).first().map(|process| (*process).clone());
        checked.push(Checked {
            port: *port,
            protocol,
            process: owner.as_ref().and_then(|owner| owner.process.clone()).or_else(first),
            owner,
            // A port that may not be bound, or asked about, may still be seen in use.
            probe: match machine.in_use(*port, protocol) {
                Some(true) => Probe::InUse,
                _ => probe::probe(*port, protocol),
            },
            reserved,
            avoided: avoided::reason(*port),
        });
    }
    Ok(checked)
}
