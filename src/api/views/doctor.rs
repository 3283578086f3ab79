//! What `doctor` found.

use serde::Serialize;

use crate::ops::doctor::{Diagnosis, Finding};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct FindingView {
    /// `error`, `warning`, `note` or `ok`.
    pub severity: &'static str,
    /// What was looked at.
    pub code: &'static str,
    /// What was found.
    pub message: String,
    /// What to do: a command.
    pub hint: Option<String>,
    /// Whether it was mended just now.
    pub fixed: bool,
}

/// All that was found.
#[derive(Debug, Serialize)]
pub struct DiagnosisView {
    /// In the order in which it was looked at.
    pub findings: Vec<FindingView>,
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        Self {
            severity: finding.severity.name(),
            code: finding.code,
            message: finding.message.clone(),
            hint: finding.hint.clone(),
            fixed: finding.fixed,
        }
    }
}

impl From<&Diagnosis> for DiagnosisView {
    fn from(diagnosis: &Diagnosis) -> Self {
        Self { findings: diagnosis.findings.iter().map(FindingView::from).collect() }
    }
}
