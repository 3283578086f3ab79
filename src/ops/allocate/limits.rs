//! What is held once, and how much one may have.

use super::attempt::Attempt;
use super::{describe, noted};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Allocation, ServiceName};
use crate::store::{Filter, Transaction};

impl Attempt<'_> {
    /// One who runs away must not empty the range for all others.
    pub(super) fn check_limits(&self, tx: &mut dyn Transaction, new: usize) -> Result<()> {
        if new == 0 || self.request.new {
            return Ok(());
        }
        let limits = &self.claim.settings.allocation;
        let of_user = self.user.clone().map(|user| Filter { user: Some(user), ..Filter::live() });
        let on_host = Filter { host: Some(self.host.clone()), ..Filter::live() };
        let user = self.user.as_deref().unwrap_or_default();
        let checks = [
            (limits.max_per_user, of_user, format!("'{user}' has"), "max_per_user"),
            (limits.max_per_host, Some(on_host), "this machine has".to_owned(), "max_per_host"),
        ];
        for (limit, filter, who, key) in checks {
            let (Some(limit), Some(filter)) = (limit, filter) else { continue };
            let has = tx.allocations(&filter)?.len();
            if has + new > usize::try_from(limit).unwrap_or(usize::MAX) {
                let message = format!("{who} {has} ports, and may have {limit}");
                return Err(Error::new(ErrorKind::RangeFull, message)
                    .hint("see what can be released: git port cleanup --dry-run")
                    .hint(format!("or raise the setting 'allocation.{key}'")));
            }
        }
        Ok(())
    }

    /// The name this service is to be reached by from outside. One that was asked for must be free; one
    /// that is configured goes to the first who takes it, for every worktree has the configuration.
    pub(super) fn public_hostname(
        &self,
        tx: &mut dyn Transaction,
        service: &ServiceName,
        old: Option<&Allocation>,
    ) -> Result<Option<String>> {
        let own = old.map(|old| old.id);
        if let Some(name) = noted(self.request.public_hostname.as_ref()) {
            refuse_taken_hostname(tx, &name, own)?;
            return Ok(Some(name));
        }
        let configured = self.claim.settings.service(service);
        let inherited = old.and_then(|old| old.public_hostname.clone());
        let wanted = inherited.or_else(|| configured.and_then(|service| service.public_hostname.clone()));
        let Some(name) = wanted else { return Ok(None) };
        Ok(find_named(tx, &name, own)?.is_none().then_some(name))
    }
}

/// Refuses a public host name that leads to another service already.
pub(in crate::ops) fn refuse_taken_hostname(
    tx: &mut dyn Transaction,
    name: &str,
    own: Option<i64>,
) -> Result<()> {
    let Some(other) = find_named(tx, name, own)? else { return Ok(()) };
    let message =
        format!("the public host name '{name}' belongs to {}, on port {}", describe(&other), other.port);
    Err(Error::new(ErrorKind::Conflict, message)
        .hint("take another name, or give it back there: git port update <port> --public-hostname ''"))
}

/// Returns the allocation that this name leads to, if it is not one's own.
fn find_named(tx: &mut dyn Transaction, name: &str, own: Option<i64>) -> Result<Option<Allocation>> {
    let named = Filter { public_hostname: Some(name.to_owned()), ..Filter::live() };
    Ok(tx.allocations(&named)?.into_iter().find(|other| Some(other.id) != own))
}
