//! How services do, in words.

use crate::ops::health::Examined;
use crate::output::{Cell, Output, Style, Table};
use crate::registry::{Health, HealthCheck};

/// Prints how services do: this look, and the earlier ones as a row of marks, oldest first.
pub fn health(out: &Output, examined: &[Examined]) {
    let mut table = Table::new(&["PORT", "PROJECT", "SERVICE", "HEALTH", "LATENCY", "ANSWER", "BEFORE"]);
    let first = examined.first().map(|one| one.listed.allocation.project.clone());
    let several = examined.iter().any(|one| Some(&one.listed.allocation.project) != first.as_ref());
    for one in examined {
        let allocation = &one.listed.allocation;
        let project = if several { allocation.project.as_str() } else { "" };
        let (name, style, latency, detail) = match &one.check {
            Some(check) => {
                (check.health.name(), style(check.health), milliseconds(check), check.detail.as_str())
            }
            None => ("-", Style::Faint, String::new(), "not asked"),
        };
        table.row(vec![
            Cell::new(allocation.port.to_string()).style(Style::Strong),
            Cell::new(project),
            Cell::new(allocation.service.as_str()),
            Cell::new(name).style(style),
            Cell::new(latency),
            Cell::new(detail),
            Cell::new(one.history.iter().rev().map(mark).collect::<String>()),
        ]);
    }
    if table.is_empty() {
        out.status("No ports are allocated.");
    } else {
        table.print(out);
    }
}

fn style(health: Health) -> Style {
    match health {
        Health::Up => Style::Good,
        Health::Failing => Style::Bad,
        Health::Down => Style::Faint,
    }
}

fn mark(check: &HealthCheck) -> char {
    match check.health {
        Health::Up => '+',
        Health::Failing => '!',
        Health::Down => '.',
    }
}

fn milliseconds(check: &HealthCheck) -> String {
    match check.health {
        Health::Down => String::new(),
        _ => format!("{:.1} ms", check.latency.as_secs_f64() * 1e3),
    }
}
