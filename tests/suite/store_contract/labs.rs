//! A registry of each kind, to try what is promised on.

use std::time::Duration;

use git_port::store::Store;
use git_port::store::sqlite::SqliteStore;

use crate::support::postgres;

/// One registry, which any number of stores may be opened on.
pub(super) trait Lab {
    fn open(&self) -> Box<dyn Store>;
}

pub(super) struct SqliteLab(tempfile::TempDir);

impl SqliteLab {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Lab for SqliteLab {
    fn open(&self) -> Box<dyn Store> {
        Box::new(SqliteStore::new(&self.0.path().join("state/registry.db"), Duration::from_secs(10)))
    }
}

/// A database of its own on the server that all tests share.
pub(super) struct PostgresLab(postgres::Database);

impl PostgresLab {
    pub(super) fn find() -> Option<Self> {
        postgres::shared().map(|server| Self(server.database()))
    }
}

impl Lab for PostgresLab {
    fn open(&self) -> Box<dyn Store> {
        Box::new(postgres::store(&self.0.url(), "here"))
    }
}
