//! What a worktree's files say of its services, and of the tools that do not take their ports yet.

use std::path::Path;

use super::standing::Standing;
use crate::registry::ServiceName;
use crate::system::files;
use crate::template::detect::{self, Found, Tree};
use crate::template::wiring::{self, Gap, Known};

/// Returns the services that seem to be in a worktree.
pub fn find(top: &Path) -> Vec<Found> {
    in_tree(top, detect::find)
}

/// A service with the variables that carry its port.
pub type Carried = (ServiceName, Vec<String>);

/// Returns the services that a worktree is to have, with the variables that carry their ports.
pub fn configured(standing: &Standing) -> Vec<Carried> {
    let variables = |service: &ServiceName| {
        standing.settings.service(service).map(|service| service.variables.clone()).unwrap_or_default()
    };
    standing.default_services().into_iter().map(|service| carried(&service, &variables(&service))).collect()
}

/// Returns a service with the variables that it is configured to have, else with the usual one.
pub fn carried(service: &ServiceName, variables: &[String]) -> Carried {
    let usual = format!("{}_PORT", service.variable_stem());
    (service.clone(), if variables.is_empty() { vec![usual] } else { variables.to_vec() })
}

/// Returns which of a worktree's tools do not take the ports of these services.
pub fn gaps(standing: &Standing, services: &[Carried]) -> Vec<Gap> {
    let settings = &standing.settings;
    let derived: Vec<&str> = settings.derived.iter().map(|(name, _)| name.as_str()).collect();
    let known = Known { services, derived: &derived, env_file: &settings.worktree.env_file };
    in_tree(&standing.worktree.path, |tree| wiring::gaps(tree, &known))
}

fn in_tree<T>(top: &Path, look: impl FnOnce(&Tree<'_>) -> T) -> T {
    let read = |name: &str| files::load_modest(&top.join(name));
    let folders = |name: &str| {
        let entries = std::fs::read_dir(top.join(name)).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut names: Vec<String> =
            folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    };
    look(&Tree { read: &read, folders: &folders })
}
