//! What `doctor` found, in words.

use std::collections::BTreeSet;

use crate::ops::doctor::{Diagnosis, Severity};
use crate::output::{Output, Style, escape};

/// Prints a line for each finding, and below them what to do.
pub fn diagnosis(out: &Output, diagnosis: &Diagnosis) {
    let mut hints = BTreeSet::new();
    for finding in &diagnosis.findings {
        let style = match finding.severity {
            _ if finding.fixed => Style::Good,
            Severity::Ok | Severity::Note => Style::Good,
            Severity::Warning => Style::Warning,
            Severity::Error => Style::Bad,
        };
        if finding.severity == Severity::Ok && out.is_quiet() {
            continue;
        }
        let word = out.paint(style, &format!("{:<8}", format!("{}:", finding.severity.name())));
        let fixed = if finding.fixed { " (mended)" } else { "" };
        out.line(&format!("{word} {}{fixed}", escape(&finding.message)));
        hints.extend(finding.hint.as_ref().filter(|_| !finding.fixed));
    }
    if !hints.is_empty() {
        out.line("");
    }
    for hint in hints {
        out.line(&format!("hint: {}", escape(hint)));
    }
}
