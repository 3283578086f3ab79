//! What stands in which column, and what may not.

use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::{Type, Value};

use crate::registry::{Allocation, Place, Port, PortRange, Token, WorktreeRecord};
use crate::store::paths::{path_bytes, path_from};

/// The columns of an allocation.
pub(super) const ALLOCATION: &str = "id, host, owner, protocol, port, project, worktree, path, branch, service, environment, \
    is_primary, status, service_type, description, public_hostname, pinned, session, allocated_at, last_used_at, \
    last_checked_at, released_at";

/// The columns of a worktree.
pub(super) const WORKTREE: &str = "token, host, project, repository, common_dir, admin_dir, path, branch, main, device, \
    filesystem, mount, seen_at, missing_since";

/// The values of an allocation, in the order of [`ALLOCATION`].
pub(super) fn values(allocation: &Allocation) -> Vec<Value> {
    let text = |text: &str| Value::from(text.to_owned());
    let time = |time: Option<Timestamp>| Value::from(time.map(Timestamp::as_millisecond));
    vec![
        Value::from(allocation.id),
        text(&allocation.host),
        Value::from(allocation.user.clone()),
        text(allocation.protocol.name()),
        Value::from(i64::from(allocation.port.number())),
        text(allocation.project.as_str()),
        Value::from(allocation.worktree.as_ref().map(Token::to_string)),
        Value::from(allocation.path.as_deref().map(path_bytes)),
        Value::from(allocation.branch.clone()),
        text(allocation.service.as_str()),
        text(allocation.environment.as_str()),
        Value::from(allocation.primary),
        text(allocation.status.name()),
        Value::from(allocation.service_type.clone()),
        Value::from(allocation.description.clone()),
        Value::from(allocation.public_hostname.clone()),
        Value::from(allocation.pinned),
        Value::from(allocation.session.clone()),
        Value::from(allocation.allocated_at.as_millisecond()),
        time(allocation.last_used_at),
        time(allocation.last_checked_at),
        time(allocation.released_at),
    ]
}

pub(super) fn allocation(row: &Row<'_>) -> rusqlite::Result<Allocation> {
    Ok(Allocation {
        id: row.get(0)?,
        host: row.get(1)?,
        user: row.get(2)?,
        protocol: parsed(row, 3)?,
        port: port(row, 4)?,
        project: parsed(row, 5)?,
        worktree: optional(row, 6)?,
        path: row.get::<_, Option<Vec<u8>>>(7)?.map(path_from),
        branch: row.get(8)?,
        service: parsed(row, 9)?,
        environment: parsed(row, 10)?,
        primary: row.get(11)?,
        status: parsed(row, 12)?,
        service_type: row.get(13)?,
        description: row.get(14)?,
        public_hostname: row.get(15)?,
        pinned: row.get(16)?,
        session: row.get(17)?,
        allocated_at: time(row, 18)?,
        last_used_at: optional_time(row, 19)?,
        last_checked_at: optional_time(row, 20)?,
        released_at: optional_time(row, 21)?,
    })
}

pub(super) fn worktree(row: &Row<'_>) -> rusqlite::Result<WorktreeRecord> {
    Ok(WorktreeRecord {
        token: parsed(row, 0)?,
        host: row.get(1)?,
        project: parsed(row, 2)?,
        repository: parsed(row, 3)?,
        common_dir: path_from(row.get(4)?),
        admin_dir: path_from(row.get(5)?),
        path: path_from(row.get(6)?),
        branch: row.get(7)?,
        main: row.get(8)?,
        place: Place {
            device: row.get::<_, i64>(9)?.cast_unsigned(),
            filesystem: row.get::<_, i64>(10)?.cast_unsigned(),
            mount: path_from(row.get(11)?),
        },
        seen_at: time(row, 12)?,
        missing_since: optional_time(row, 13)?,
    })
}

fn unfit(
    column: usize,
    kind: Type,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, why.into())
}

pub(super) fn parsed<T: FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    row.get::<_, String>(column)?.parse().map_err(|error: T::Err| unfit(column, Type::Text, error))
}

pub(super) fn optional<T: FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|error: T::Err| unfit(column, Type::Text, error))).transpose()
}

pub(super) fn port(row: &Row<'_>, column: usize) -> rusqlite::Result<Port> {
    Port::new(row.get(column)?).ok_or_else(|| unfit(column, Type::Integer, "a port is never 0"))
}

pub(super) fn range(row: &Row<'_>, column: usize) -> rusqlite::Result<PortRange> {
    PortRange::new(port(row, column)?, port(row, column + 1)?)
        .ok_or_else(|| unfit(column, Type::Integer, "a range ends before it begins"))
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(row.get(column)?).map_err(|error| unfit(column, Type::Integer, error))
}

pub(super) fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let milliseconds: Option<i64> = row.get(column)?;
    milliseconds
        .map(|milliseconds| {
            Timestamp::from_millisecond(milliseconds).map_err(|error| unfit(column, Type::Integer, error))
        })
        .transpose()
}
