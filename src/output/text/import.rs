//! What an import does, in words: the same for a dry run and for the real thing.

use crate::ops::import::Imported;
use crate::output::{Output, Style, escape};
use crate::registry::import::Candidate;

/// Prints a plan, a line for each row and a sum.
pub fn imported(out: &Output, imported: &Imported) {
    let plan = &imported.plan;
    let mut lines: Vec<(u16, Style, String)> = Vec::new();
    let mut add = |style: Style, sign: char, candidate: &Candidate, reason: &str| {
        let one = &candidate.allocation;
        let mut what = format!("{sign} {} {} ({})", one.port, one.owner(), one.environment);
        if !one.status.is_live() {
            what.push_str(", released");
        }
        if !reason.is_empty() {
            what.push_str(&format!(": {reason}"));
        }
        lines.push((one.port.number(), style, escape(&what)));
    };
    plan.added.iter().for_each(|one| add(Style::Good, '+', one, ""));
    plan.same.iter().for_each(|one| add(Style::Faint, '=', one, ""));
    plan.out_of_range.iter().for_each(|one| add(Style::Warning, '!', &one.candidate, &one.reason));
    plan.conflicts.iter().for_each(|one| add(Style::Bad, '~', &one.candidate, &one.reason));
    plan.skipped.iter().for_each(|one| add(Style::Faint, '-', &one.candidate, &one.reason));
    lines.sort_by_key(|(port, ..)| *port);
    for (_, style, line) in lines {
        out.line(&out.paint(style, &line));
    }
    for one in &imported.skipped {
        let line = one.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let text = escape(&format!("- {line}{}: {}", one.what, one.reason));
        out.line(&out.paint(Style::Faint, &text));
    }
    for one in &plan.reservations {
        let why = one.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        out.line(&out.paint(Style::Good, &escape(&format!("+ {} reserved{why}", one.range))));
    }
    for reason in &plan.unclear {
        out.line(&out.paint(Style::Bad, &escape(&format!("~ {reason}"))));
    }
    out.line(&sum(imported));
}

/// `+ 12 new, = 4 same, ~ 1 conflict, ! 2 outside range, - 3 skipped`
fn sum(imported: &Imported) -> String {
    let plan = &imported.plan;
    let conflicts = plan.conflicts.len() + plan.unclear.len();
    let counts = [
        ('+', plan.added.len(), "new"),
        ('=', plan.same.len(), "same"),
        ('~', conflicts, if conflicts == 1 { "conflict" } else { "conflicts" }),
        ('!', plan.out_of_range.len(), "outside range or reserved"),
        ('-', plan.skipped.len() + imported.skipped.len(), "skipped"),
        ('+', plan.reservations.len(), "reserved"),
    ];
    let told = counts.iter().filter(|(_, count, _)| *count > 0);
    let told: Vec<String> = told.map(|(sign, count, what)| format!("{sign} {count} {what}")).collect();
    if told.is_empty() { "nothing to import".to_owned() } else { told.join(", ") }
}
