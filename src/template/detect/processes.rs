//! Procfiles, and the variables that hold ports.

use super::{Findings, Tree, kind};
use crate::registry::Port;
use crate::template::server_flags;

/// The Procfiles, the first of which counts.
pub(in crate::template) const PROCFILES: &[&str] = &["Procfile.dev", "Procfile"];

/// Where variables are kept.
const FILES: &[&str] = &[".env", ".env.example", ".env.local", ".env.development", ".env.sample"];

/// The processes of a text: name and command.
pub(in crate::template) fn processes(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once(':'));
    pairs.map(|(name, command)| (name.trim(), command.trim())).filter(|(name, _)| !name.is_empty())
}

/// A process of a Procfile listens if it is given its port, is a known server, or is called `web`.
pub(super) fn procfiles(tree: &Tree<'_>, found: &mut Findings) {
    let Some((file, text)) = PROCFILES.iter().find_map(|file| Some((file, (tree.read)(file)?))) else {
        return;
    };
    for (process, command) in processes(&text) {
        let listens = process == "web"
            || command.contains("$PORT")
            || command.contains("${PORT")
            || server_flags::is_server(command);
        // Assets are served by what builds them.
        if listens
            && !found.0.iter().any(|one| one.service.as_str() == process && one.service_type == "assets")
        {
            let service_type = match kind(process) {
                "other" => "api",
                kind => kind,
            };
            let one = found.add(process, service_type, format!("process '{process}' in {file}"));
            one.usual = one.usual.or_else(|| server_flags::fixed_port(command));
        }
    }
}

/// `API_PORT=3001` in a file of variables: whoever reads it goes on reading it.
pub(super) fn variables(tree: &Tree<'_>, found: &mut Findings) {
    for file in FILES {
        let Some(text) = (tree.read)(file) else { continue };
        let pairs: Vec<(&str, &str)> = text.lines().filter_map(pair).collect();
        for (name, value) in &pairs {
            let Some(port) = value.parse::<u16>().ok().and_then(Port::new) else { continue };
            let plain = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            if !plain || name.starts_with("GIT_PORT") {
                continue;
            }
            let why = format!("{name} in {file}");
            if *name == "PORT" {
                // Whatever is the primary service takes it; it need not be called 'web'.
                let known = found.0.iter_mut().find(|one| matches!(one.service_type, "web" | "api"));
                match known {
                    Some(known) => known.seen(&why),
                    None => _ = found.add("web", "web", why),
                }
                continue;
            }
            let Some(stem) = name.strip_suffix("_PORT").filter(|stem| !stem.is_empty()) else { continue };
            let host = pairs.iter().find(|(other, _)| other.strip_suffix("_HOST") == Some(stem));
            if is_elsewhere(port, host.map(|(_, host)| *host)) {
                continue;
            }
            let service = stem.to_ascii_lowercase().replace('_', "-");
            let kind = kind(&service);
            // The same database under two names is one.
            let known = found.0.iter_mut().find(|one| {
                one.variables.iter().any(|known| known == name)
                    || (matches!(kind, "db" | "cache" | "queue")
                        && one.service_type == kind
                        && one.usual == Some(port)
                        && one.service.as_str() != service)
            });
            let one = match known {
                Some(known) => {
                    known.seen(&why);
                    known
                }
                None => found.add(&service, kind, why),
            };
            one.reads(name);
            one.usual = one.usual.or(Some(port));
        }
    }
}

fn pair(line: &str) -> Option<(&str, &str)> {
    let line = line.trim().trim_start_matches("export ");
    let (name, value) = line.split_once('=')?;
    Some((name.trim(), value.trim().trim_matches(['"', '\''])))
}

/// Says whether somebody else's machine is meant: nobody develops on a port below 1024, and a host with a
/// dot in its name is no neighbour.
fn is_elsewhere(port: Port, host: Option<&str>) -> bool {
    let is_here = |host: &str| {
        host.parse::<std::net::IpAddr>()
            .map_or(!host.contains('.'), |address| address.is_loopback() || address.is_unspecified())
    };
    port.number() < 1024 || !host.is_none_or(is_here)
}
