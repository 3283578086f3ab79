//! Which ranges an environment or a project has, and which ports are reserved.

use std::collections::BTreeMap;

use super::port::{Port, PortRange};
use super::scope::{EnvironmentName, ProjectName};

/// A range kept in the registry by `git port range set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeRecord {
    /// The ordered ranges of an environment.
    Environment(EnvironmentName, Vec<PortRange>),
    /// The ordered ranges of a project.
    Project(ProjectName, Vec<PortRange>),
}

/// Ports that are never allocated automatically.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Which.
    pub range: PortRange,
    /// Why, if it was said.
    pub reason: Option<String>,
}

/// All ranges and reservations in force: the registry's and the configuration's together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// The ordered ranges of each environment.
    pub environments: BTreeMap<EnvironmentName, Vec<PortRange>>,
    /// The ordered ranges of projects that have their own.
    pub projects: BTreeMap<ProjectName, Vec<PortRange>>,
    /// The reserved ports.
    pub reserved: Vec<Reservation>,
}

impl Ranges {
    /// Returns the ranges ports for this project and environment come from, in order.
    ///
    /// A project with ranges of its own gets its development ports from them alone, so that a project
    /// that outgrows its range is told so. Its test and production ports come from the environment's.
    pub fn of(&self, project: &ProjectName, environment: &EnvironmentName) -> &[PortRange] {
        let own = self.projects.get(project).filter(|_| *environment == EnvironmentName::dev());
        own.or_else(|| self.environments.get(environment)).map_or(&[], Vec::as_slice)
    }

    /// Returns the reservation this port falls under.
    pub fn reservation(&self, port: Port) -> Option<&Reservation> {
        self.reserved.iter().find(|reservation| reservation.range.contains(port))
    }

    /// Returns how many ports of the range are reserved.
    pub fn reserved_in(&self, range: PortRange) -> u32 {
        let reserved = range.ports().filter(|port| self.reservation(*port).is_some()).count();
        u32::try_from(reserved).unwrap_or(u32::MAX)
    }
}
