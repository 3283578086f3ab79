//! Puts the layers one upon the other: built-in, registry, user, worktree, clone, environment. The last
//! one wins. Tables merge key by key; lists and scalars are replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;

use super::setting::{Assignment, ServiceField, Setting, Written, first_overlap, parse};
use super::{
    AllocationSettings, CleanupSettings, ConfigError, Fill, HookRepositories, HookSettings, Origin,
    ServiceSettings, Settings, Sources, WorktreeSettings, environment, file, printable,
};
use crate::registry::{Port, PortRange, RangeRecord, ServiceName};
use crate::system::files;

/// The values that are in force where nothing is configured.
const BUILT_IN: &[(&[&str], &str)] = &[
    (&["worktree", "path"], "../{project}-{branch}"),
    (&["worktree", "fill"], "auto"),
    (&["worktree", "env_file"], ".git-port.env"),
    (&["ranges", "dev"], "8000-8999,20000-29999"),
    (&["ranges", "test"], "7000-7999"),
    (&["ranges", "production"], "9000-9999"),
    (&["allocation", "strategy"], "sequential"),
    (&["allocation", "reserved"], "3000,5432,8051,8181,3737"),
    (&["cleanup", "auto"], "true"),
    (&["cleanup", "interval"], "1h"),
    (&["cleanup", "older_than"], "30d"),
    (&["hook", "repositories"], "configured"),
];

/// The ports the kernel gives to outgoing connections (ip(7)); only Linux has the file.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Returns the settings that are in force, given these sources.
pub fn load(sources: &Sources<'_>) -> Result<Settings, ConfigError> {
    let mut settings = merge(sources)?;
    // What cannot be read cannot be warned of.
    let ephemeral = files::load_text(Path::new(EPHEMERAL)).ok().flatten();
    let ephemeral = ephemeral.as_deref().and_then(parse_ephemeral);
    let warnings = warnings(&settings, ephemeral);
    settings.warnings.extend(warnings);
    Ok(settings)
}

fn merge(sources: &Sources<'_>) -> Result<Settings, ConfigError> {
    let mut settings = built_in()?;
    for record in sources.registry_ranges {
        apply_record(&mut settings, record);
    }
    if let Some(path) = &sources.user_file {
        let assignments = file::load(path, file::Role::User)?;
        if assignments.is_none() && sources.user_file_required {
            let missing = format!("there is no configuration file '{}'", path.display());
            return Err(ConfigError::new(missing).hint("make it, or unset the variable 'GIT_PORT_CONFIG'"));
        }
        apply_all(&mut settings, assignments.unwrap_or_default());
    }
    if let Some(root) = sources.worktree_root {
        let assignments = file::load(&root.join(".git-port.toml"), file::Role::Worktree)?;
        settings.configured = assignments.is_some();
        apply_all(&mut settings, assignments.unwrap_or_default());
    }
    if let Some(common_dir) = sources.common_dir {
        let assignments = file::load(&common_dir.join("git-port.toml"), file::Role::Clone)?;
        apply_all(&mut settings, assignments.unwrap_or_default());
    }
    let assignments = environment::assignments(sources.environment, &settings)?;
    apply_all(&mut settings, assignments);
    Ok(settings)
}

fn built_in() -> Result<Settings, ConfigError> {
    let mut settings = Settings {
        project: None,
        services: Vec::new(),
        derived: Vec::new(),
        worktree: WorktreeSettings { path: String::new(), fill: Fill::default(), env_file: String::new() },
        ranges: BTreeMap::new(),
        projects: BTreeMap::new(),
        allocation: AllocationSettings {
            random: false,
            reserved: Vec::new(),
            max_per_user: None,
            max_per_host: None,
        },
        cleanup: CleanupSettings {
            auto: false,
            interval: jiff::SignedDuration::ZERO,
            older_than: jiff::SignedDuration::ZERO,
        },
        hook: HookSettings { repositories: HookRepositories::default() },
        registry: None,
        configured: false,
        warnings: Vec::new(),
        passed_over: Vec::new(),
        origins: BTreeMap::new(),
    };
    for (path, text) in BUILT_IN {
        let setting =
            parse(path, &Written::variable(text)).map_err(|wrong| ConfigError::new(wrong.message))?;
        apply(&mut settings, Assignment { key: path.join("."), setting, origin: Origin::BuiltIn });
    }
    Ok(settings)
}

/// Applies a range of the registry. One that cannot be right is passed over with a warning: the command
/// that mends it has to load the settings too.
fn apply_record(settings: &mut Settings, record: &RangeRecord) {
    let (key, ranges) = match record {
        RangeRecord::Environment(name, ranges) => (format!("ranges.{name}"), ranges),
        RangeRecord::Project(name, ranges) => (format!("projects.{name}.range"), ranges),
    };
    if let Some((one, other)) = first_overlap(ranges) {
        settings.warnings.push(format!(
            "the registry's setting '{key}' is ignored: the ranges '{one}' and '{other}' overlap"
        ));
        return;
    }
    if ranges.is_empty() {
        return;
    }
    let setting = match record.clone() {
        RangeRecord::Environment(name, ranges) => Setting::Ranges(name, ranges),
        RangeRecord::Project(name, ranges) => Setting::ProjectRanges(name, ranges),
    };
    apply(settings, Assignment { key, setting, origin: Origin::Registry });
}

fn apply_all(settings: &mut Settings, assignments: Vec<Assignment>) {
    for assignment in assignments {
        apply(settings, assignment);
    }
}

fn apply(settings: &mut Settings, assignment: Assignment) {
    match assignment.setting {
        Setting::Project(name) => settings.project = Some(name),
        Setting::Registry(place) => settings.registry = Some(place),
        Setting::PassedOver(warning) => {
            settings.passed_over.push(warning);
            return;
        }
        Setting::Service(name) => {
            service(settings, name);
        }
        Setting::ServiceField(name, field) => apply_field(service(settings, name), field),
        Setting::Derived(name, value) => {
            match settings.derived.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => settings.derived.push((name, value)),
            }
        }
        Setting::WorktreePath(path) => settings.worktree.path = path,
        Setting::WorktreeEnvFile(name) => settings.worktree.env_file = name,
        Setting::WorktreeFill(fill) => settings.worktree.fill = fill,
        Setting::Ranges(name, ranges) => {
            settings.ranges.insert(name, ranges);
        }
        Setting::ProjectRanges(name, ranges) => {
            settings.projects.insert(name, ranges);
        }
        Setting::AllocationRandom(random) => settings.allocation.random = random,
        Setting::Reserved(reserved) => settings.allocation.reserved = reserved,
        Setting::MaxPerUser(most) => settings.allocation.max_per_user = Some(most),
        Setting::MaxPerHost(most) => settings.allocation.max_per_host = Some(most),
        Setting::CleanupAuto(auto) => settings.cleanup.auto = auto,
        Setting::CleanupInterval(interval) => settings.cleanup.interval = interval,
        Setting::CleanupOlderThan(older_than) => settings.cleanup.older_than = older_than,
        Setting::HookRepositories(repositories) => settings.hook.repositories = repositories,
    }
    settings.origins.insert(assignment.key, assignment.origin);
}

/// Returns the service of this name, which is added at the end if it is new.
fn service(settings: &mut Settings, name: ServiceName) -> &mut ServiceSettings {
    let known = settings.services.iter().position(|service| service.name == name);
    let at = known.unwrap_or_else(|| {
        settings.services.push(ServiceSettings::new(name));
        settings.services.len() - 1
    });
    &mut settings.services[at]
}

fn apply_field(service: &mut ServiceSettings, field: ServiceField) {
    match field {
        ServiceField::Variables(variables) => service.variables = variables,
        ServiceField::Type(service_type) => service.service_type = Some(service_type),
        ServiceField::Protocol(protocol) => service.protocol = protocol,
        ServiceField::Prefer(port) => service.prefer = Some(port),
        ServiceField::Description(description) => service.description = Some(description),
        ServiceField::Health(health) => service.health = Some(health),
        ServiceField::PublicHostname(name) => service.public_hostname = Some(name),
    }
}

/// Returns the range in the kernel's words: two numbers with white space between them.
fn parse_ephemeral(text: &str) -> Option<PortRange> {
    let mut ports = text.split_whitespace().map(str::parse::<Port>);
    PortRange::new(ports.next()?.ok()?, ports.next()?.ok()?)
}

/// Returns what is allowed but likely a mistake.
fn warnings(settings: &Settings, ephemeral: Option<PortRange>) -> Vec<String> {
    let mut warnings = shared_ports("environments", settings.ranges.iter());
    warnings.extend(shared_ports("projects", settings.projects.iter()));
    if let Some(ephemeral) = ephemeral {
        let environments =
            settings.ranges.iter().map(|(name, ranges)| (format!("environment '{name}'"), ranges));
        let projects = settings.projects.iter().map(|(name, ranges)| (format!("project '{name}'"), ranges));
        for (owner, ranges) in environments.chain(projects) {
            for range in ranges.iter().filter(|range| range.overlaps(ephemeral)) {
                warnings.push(format!(
                    "the range '{range}' of the {owner} overlaps '{ephemeral}', which the system gives to \
                     outgoing connections"
                ));
            }
        }
    }
    let mut carriers: BTreeMap<&str, &ServiceName> = BTreeMap::new();
    for service in &settings.services {
        for variable in service.variables.iter().collect::<BTreeSet<_>>() {
            if let Some(other) = carriers.insert(variable, &service.name) {
                let name = &service.name;
                warnings.push(format!("the services '{other}' and '{name}' share the variable '{variable}'"));
            }
        }
    }
    warnings.iter().map(|warning| printable(warning)).collect()
}

/// Returns a warning for each range that begins inside another owner's.
///
/// One pass over the sorted ranges: a warning for each pair could be more than memory holds.
fn shared_ports<'a, N: Display + Eq + 'a>(
    what: &str,
    owners: impl Iterator<Item = (&'a N, &'a Vec<PortRange>)>,
) -> Vec<String> {
    let mut ranges: Vec<_> =
        owners.flat_map(|(name, ranges)| ranges.iter().map(move |range| (*range, name))).collect();
    ranges.sort_by_key(|(range, _)| *range);
    let mut warnings = Vec::new();
    let mut furthest: Option<(PortRange, &N)> = None;
    for (range, name) in ranges {
        if let Some((other, other_name)) = furthest
            && other.overlaps(range)
        {
            warnings.push(format!(
                "the {what} '{other_name}' and '{name}' share ports: '{other}' and '{range}' overlap"
            ));
        }
        if furthest.is_none_or(|(other, _)| other.end() < range.end()) {
            furthest = Some((range, name));
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
