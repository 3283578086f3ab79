//! The objects about templates and whom the user trusts.

use jiff::Timestamp;
use serde::Serialize;

use crate::ops::template::{Known, Outcome, Templated};
use crate::ops::trust::{TrustChanged, Trusted};

/// The templates there are.
#[derive(Debug, Serialize)]
pub struct TemplatesView {
    /// The templates.
    pub templates: Vec<TemplateView>,
}

/// A template.
#[derive(Debug, Serialize)]
pub struct TemplateView {
    /// Its name.
    pub name: String,
    /// `built-in`, `user` or `repository`.
    pub origin: &'static str,
    /// The file it belongs in, if it is known.
    pub file: Option<String>,
    /// What it does.
    pub about: String,
    /// On what it rests: `tried with …`, or `from its documentation`; null where it is not built in.
    pub tried: Option<String>,
    /// Whether it may be used.
    pub trusted: bool,
}

impl From<&[Known]> for TemplatesView {
    fn from(known: &[Known]) -> Self {
        let view = |one: &Known| TemplateView {
            name: one.name.clone(),
            origin: one.origin.as_str(),
            file: one.file.clone(),
            about: one.about.clone(),
            tried: one.tried.clone(),
            trusted: one.trusted,
        };
        Self { templates: known.iter().map(view).collect() }
    }
}

/// A rendered template.
#[derive(Debug, Serialize)]
pub struct TemplatedView {
    /// Its name.
    pub name: String,
    /// `built-in`, `user` or `repository`.
    pub origin: &'static str,
    /// The file it belongs in, if it is known.
    pub file: Option<String>,
    /// The text.
    pub text: String,
    /// Whether this request wrote it.
    pub written: bool,
    /// Why it was not written although that was asked for; null also where nothing had to be changed.
    pub reason: Option<&'static str>,
    /// The unified diff of the file, where that was asked for; empty where nothing changes.
    pub diff: Option<String>,
    /// On what the template rests.
    pub tried: Option<String>,
    /// How to tell that it works.
    pub check: Option<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl From<&Templated> for TemplatedView {
    fn from(templated: &Templated) -> Self {
        Self {
            name: templated.name.clone(),
            origin: templated.origin.as_str(),
            file: templated.file.clone(),
            text: templated.text.clone(),
            written: matches!(templated.outcome, Outcome::Written),
            reason: match templated.outcome {
                Outcome::ByHand(why) => Some(why),
                _ => None,
            },
            diff: templated.diff.clone(),
            tried: templated.tried.clone(),
            check: templated.check.clone(),
            warnings: templated.warnings.clone(),
        }
    }
}

/// What is trusted.
#[derive(Debug, Serialize)]
pub struct TrustedListView {
    /// The repositories.
    pub trusted: Vec<TrustedView>,
}

/// A repository that is trusted, with one content of its templates.
#[derive(Debug, Serialize)]
pub struct TrustedView {
    /// Its path.
    pub repository: String,
    /// The SHA-256 of its templates.
    pub sha256: String,
    /// When it was trusted.
    pub trusted_at: Timestamp,
}

impl From<&[Trusted]> for TrustedListView {
    fn from(trusted: &[Trusted]) -> Self {
        let view = |one: &Trusted| TrustedView {
            repository: one.repository.clone(),
            sha256: one.sha256.clone(),
            trusted_at: one.trusted_at,
        };
        Self { trusted: trusted.iter().map(view).collect() }
    }
}

/// What became of the trust in a repository.
#[derive(Debug, Serialize)]
pub struct TrustChangedView {
    /// Its path.
    pub repository: String,
    /// The templates that are trusted now.
    pub templates: Vec<String>,
    /// Their SHA-256; null after a revocation.
    pub sha256: Option<String>,
    /// Whether anything is other than before.
    pub changed: bool,
}

impl From<&TrustChanged> for TrustChangedView {
    fn from(changed: &TrustChanged) -> Self {
        Self {
            repository: changed.repository.clone(),
            templates: changed.templates.clone(),
            sha256: changed.sha256.clone(),
            changed: changed.changed,
        }
    }
}
