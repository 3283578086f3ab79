//! Values to render templates with in tests.

use super::{ServiceValues, Values};
use crate::template::compose;

/// Returns values with so many services, with or without ports.
pub(in crate::template) fn values(count: usize, ports: bool) -> Values {
    let names = ["web", "api", "db"];
    let services: Vec<ServiceValues> = names
        .iter()
        .take(count)
        .enumerate()
        .map(|(index, name)| {
            let port = ports.then(|| 8001 + u16::try_from(index).unwrap());
            ServiceValues {
                name: (*name).to_owned(),
                port,
                variable: format!("{}_PORT", name.to_uppercase()),
                url: port.filter(|_| *name != "db").map(|port| format!("http://localhost:{port}")),
                default_port: super::usual_port(name, index),
                primary: index == 0,
            }
        })
        .collect();
    let primary = ServiceValues { variable: "PORT".to_owned(), ..services[0].clone() };
    let mut values = Values {
        project: "shop".to_owned(),
        worktree: "feature-api".to_owned(),
        branch: "topic-x".to_owned(),
        environment: "dev".to_owned(),
        service: primary.clone(),
        primary,
        services,
        command: "npm run dev -- --port $PORT".to_owned(),
        env_file: ".git-port.env".to_owned(),
        variables: vec!["PORT=8001".to_owned(), "WEB_PORT=8001".to_owned()],
        compose: None,
    };
    values.compose = Some(compose::from_services(&values));
    values
}
