//! Numbered migrations, and who may read and write which version.
//!
//! Never change or remove one that was released; add another, and let it only add. `min_reader` and
//! `min_writer` in the registry say which versions of git-port may still use it: raise them only when
//! an older program would do harm.

/// The version of the schema this program writes.
pub(crate) const VERSION: i64 = 3;

/// What SQLite's `application_id` says of our files: "gPRT".
pub(crate) const APPLICATION_ID: i64 = 0x6750_5254;

/// The scripts for SQLite, in order; the first makes version 1.
pub(crate) const SQLITE: &[&str] = &[
    include_str!("migrations/sqlite/0001_registry.sql"),
    include_str!("migrations/sqlite/0002_team.sql"),
    include_str!("migrations/sqlite/0003_promised.sql"),
];

/// The scripts for PostgreSQL, of the same numbers and names.
pub(crate) const POSTGRES: &[&str] = &[
    include_str!("migrations/postgres/0001_registry.sql"),
    include_str!("migrations/postgres/0002_team.sql"),
    include_str!("migrations/postgres/0003_promised.sql"),
];

/// The oldest versions that may read and write what version [`VERSION`] wrote.
pub(crate) const MIN_READER: i64 = 1;
/// See [`MIN_READER`].
pub(crate) const MIN_WRITER: i64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_its_script() {
        assert_eq!(i64::try_from(SQLITE.len()), Ok(VERSION));
        assert_eq!(i64::try_from(POSTGRES.len()), Ok(VERSION));
        const { assert!(MIN_READER <= MIN_WRITER && MIN_WRITER <= VERSION) };
    }
}
