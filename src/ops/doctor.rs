//! Finds what is wrong or not wired, and mends what is safe to mend.
//!
//! Nothing of the user's is deleted and no port is released: where that is the remedy, the hint says so.

mod registry;
mod repository;
mod surroundings;
mod wiring;
mod worktrees;

use super::recovery;
use crate::context::Context;
use crate::error::{Error, Result};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It keeps git-port from doing its work.
    Error,
    /// It works, but something is not as it should be.
    Warning,
    /// It is worth knowing, and nothing is wrong.
    Note,
    /// All is well.
    Ok,
}

impl Severity {
    /// Returns the word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Ok => "ok",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at, for programs.
    pub code: &'static str,
    /// What was found.
    pub message: String,
    /// What to do: a command.
    pub hint: Option<String>,
    /// Whether it was mended just now.
    pub fixed: bool,
}

/// Whether to mend what is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoctorRequest {
    /// Mend what is safe to mend.
    pub fix: bool,
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// In the order in which it was looked at.
    pub findings: Vec<Finding>,
    fix: bool,
}

/// What mends what is safe to mend.
const FIX: &str = "git port doctor --fix";

impl Diagnosis {
    /// Says whether nothing is wrong, or nothing any more.
    pub fn is_healthy(&self) -> bool {
        let is_well = |finding: &Finding| matches!(finding.severity, Severity::Ok | Severity::Note);
        self.findings.iter().all(|finding| is_well(finding) || finding.fixed)
    }

    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        message: impl Into<String>,
        hint: Option<&str>,
    ) {
        let (message, hint) = (message.into(), hint.map(str::to_owned));
        self.findings.push(Finding { severity, code, message, hint, fixed: false });
    }

    fn ok(&mut self, code: &'static str, message: impl Into<String>) {
        self.add(Severity::Ok, code, message, None);
    }

    fn warn(&mut self, code: &'static str, message: impl Into<String>, hint: &str) {
        self.add(Severity::Warning, code, message, Some(hint));
    }

    fn error(&mut self, code: &'static str, message: impl Into<String>, hint: &str) {
        self.add(Severity::Error, code, message, Some(hint));
    }

    /// Adds what `mend` can put right, and has it put right if that is wanted.
    fn mend(
        &mut self,
        severity: Severity,
        code: &'static str,
        message: impl Into<String>,
        mend: impl FnOnce() -> Result<()>,
    ) {
        let mut message = message.into();
        let mut fixed = false;
        if self.fix {
            match mend() {
                Ok(()) => fixed = true,
                Err(error) => message.push_str(&format!("; it cannot be mended: {}", error.full_message())),
            }
        }
        // It was the fix that failed, so it is no remedy.
        let hint = (!self.fix).then(|| FIX.to_owned());
        self.findings.push(Finding { severity, code, message, hint, fixed });
    }

    /// Adds what could not be looked at.
    fn unknown(&mut self, code: &'static str, error: &Error) {
        let hint = error.hints.first().cloned();
        self.add(Severity::Error, code, error.full_message(), hint.as_deref());
    }
}

/// Looks at the registry, the machine, and the repository one stands in.
pub fn doctor(ctx: &mut Context, request: &DoctorRequest) -> Result<Diagnosis> {
    let _going_on = ctx.going_on(|| "looking at the registry, the machine and the repository".to_owned());
    let mut diagnosis = Diagnosis { fix: request.fix, ..Diagnosis::default() };
    surroundings::variables(ctx, &mut diagnosis);
    let oldest = surroundings::git(ctx, &mut diagnosis);
    let usable = registry::registry(ctx, &mut diagnosis);
    surroundings::settings(ctx, &mut diagnosis);
    match ctx.find_repo() {
        Ok(Some(repo)) => {
            repository::repository(ctx, &mut diagnosis, &repo, oldest);
            worktrees::worktrees(ctx, &mut diagnosis, &repo, usable);
            wiring::wiring(ctx, &mut diagnosis, &repo, usable);
        }
        Ok(None) => diagnosis.ok("repository", "not in a repository, so none was looked at"),
        Err(error) => diagnosis.unknown("repository", &error),
    }
    if usable {
        registry::allocations(ctx, &mut diagnosis);
        if request.fix {
            recovery::leave(ctx);
        }
    }
    Ok(diagnosis)
}
