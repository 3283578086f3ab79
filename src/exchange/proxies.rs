//! Names for ports, as reverse proxies read them: `<worktree>.<project>.localhost`.
//!
//! A primary service has the worktree's name, the others have their own before it; a service without a
//! worktree is `<service>.<project>.localhost`. Every part is a DNS label made by [`label`], so that no
//! name of a branch or a folder is read as syntax.

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::registry::Allocation;
use crate::registry::scope::fnv1a;

const NOTICE: &str = "# Ports of git-port.\n";

/// A name, and the port it leads to.
struct Route {
    name: String,
    port: u16,
}

/// Returns the text as a DNS label (RFC 1035): what had to be changed is told apart by a hash.
fn label(text: &str) -> String {
    const MAX: usize = 63;
    let lower = text.to_ascii_lowercase();
    let plain: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    // Dots and underscores stand in many names, and lose nothing as hyphens.
    let kept = lower.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if kept && plain == lower.replace(['_', '.'], "-") && !plain.is_empty() && plain.len() <= MAX {
        return plain.to_owned();
    }
    let hash = format!("{:08x}", fnv1a(text.as_bytes()));
    let short: String = plain.chars().take(MAX - hash.len() - 1).collect();
    match short.trim_matches('-') {
        "" => format!("x{hash}"),
        short => format!("{short}-{hash}"),
    }
}

fn routes(rows: &[&Allocation]) -> Vec<Route> {
    let mut taken = HashSet::new();
    let mut routes = Vec::new();
    for one in rows.iter().filter(|one| one.url().is_some()) {
        let folder = one.path.as_ref().and_then(|path| path.file_name()).filter(|_| one.worktree.is_some());
        let mut labels = Vec::new();
        if !one.primary || folder.is_none() {
            labels.push(label(one.service.as_str()));
        }
        labels.extend(folder.map(|name| label(&name.to_string_lossy())));
        labels.push(label(one.project.as_str()));
        let mut name = format!("{}.localhost", labels.join("."));
        if !taken.insert(name.clone()) {
            // Two environments of one worktree, or two folders of one name.
            name = format!("{}-{name}", one.port);
            taken.insert(name.clone());
        }
        routes.push(Route { name, port: one.port.number() });
    }
    routes
}

pub(super) fn caddy(rows: &[&Allocation]) -> String {
    let mut text = NOTICE.to_owned();
    for Route { name, port } in routes(rows) {
        let _ = write!(text, "\nhttp://{name} {{\n\treverse_proxy localhost:{port}\n}}\n");
    }
    text
}

pub(super) fn traefik(rows: &[&Allocation]) -> String {
    let routes = routes(rows);
    let mut text = NOTICE.to_owned();
    if routes.is_empty() {
        text.push_str("http: {}\n");
        return text;
    }
    text.push_str("http:\n  routers:\n");
    let key = |route: &Route| route.name.replace('.', "-");
    for route in &routes {
        let (key, name) = (key(route), &route.name);
        let _ = write!(text, "    \"{key}\":\n      rule: \"Host(`{name}`)\"\n      service: \"{key}\"\n");
    }
    text.push_str("  services:\n");
    for route in &routes {
        let (key, port) = (key(route), route.port);
        let _ = write!(
            text,
            "    \"{key}\":\n      loadBalancer:\n        servers:\n          - url: \"http://localhost:{port}\"\n"
        );
    }
    text
}

pub(super) fn nginx(rows: &[&Allocation]) -> String {
    let mut text = NOTICE.to_owned();
    for Route { name, port } in routes(rows) {
        let _ = write!(
            text,
            "\nserver {{\n    listen 80;\n    server_name {name};\n    location / {{\n        \
             proxy_pass http://localhost:{port};\n        proxy_http_version 1.1;\n        \
             proxy_set_header Host $host;\n        proxy_set_header Upgrade $http_upgrade;\n        \
             proxy_set_header Connection \"upgrade\";\n    }}\n}}\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::label;
    use proptest::prelude::*;

    #[test]
    fn plain_names_stay_and_others_are_told_apart() {
        assert_eq!(label("shop-feature_api.2"), "shop-feature-api-2");
        assert_ne!(label("a;b"), label("a{b"));
        assert!(label("日本").starts_with('x'));
    }

    proptest! {
        #[test]
        fn whatever_the_text_it_is_a_label(text in any::<String>()) {
            let label = label(&text);
            prop_assert!(!label.is_empty() && label.len() <= 63);
            prop_assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(!label.starts_with('-') && !label.ends_with('-'));
        }
    }
}
