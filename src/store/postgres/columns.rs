//! What stands in which column, and what may not.

use std::str::FromStr;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::link::Value;
use crate::registry::{Allocation, Place, Port, PortRange, Token, WorktreeRecord};
use crate::store::paths::{path_bytes, path_from};

/// The columns of an allocation that can be written, in the order of [`values`].
pub(super) const ALLOCATION: &str = "host, owner, protocol, port, project, worktree, path, branch, service, environment, \
    is_primary, status, service_type, description, public_hostname, pinned, session, allocated_at, last_used_at, \
    last_checked_at, released_at";

/// The columns of a worktree.
pub(super) const WORKTREE: &str = "token, host, project, repository, common_dir, admin_dir, path, branch, main, device, \
    filesystem, mount, seen_at, missing_since";

/// Why a value cannot be what we wrote.
pub(super) type Unfit = String;

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(time: Option<Timestamp>) -> Self {
        Self::Number(time.map(Timestamp::as_millisecond))
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Some(time).into()
    }
}

impl From<Port> for Value {
    fn from(port: Port) -> Self {
        i64::from(port.number()).into()
    }
}

/// Returns a path as it is stored.
pub(super) fn path(path: &std::path::Path) -> Value {
    Value::Bytes(Some(path_bytes(path)))
}

/// The values of an allocation, in the order of [`ALLOCATION`].
pub(super) fn values(allocation: &Allocation) -> Vec<Value> {
    vec![
        allocation.host.as_str().into(),
        allocation.user.clone().into(),
        allocation.protocol.name().into(),
        allocation.port.into(),
        allocation.project.as_str().into(),
        allocation.worktree.as_ref().map(Token::to_string).into(),
        Value::Bytes(allocation.path.as_deref().map(path_bytes)),
        allocation.branch.clone().into(),
        allocation.service.as_str().into(),
        allocation.environment.as_str().into(),
        Value::Truth(allocation.primary),
        allocation.status.name().into(),
        allocation.service_type.clone().into(),
        allocation.description.clone().into(),
        allocation.public_hostname.clone().into(),
        Value::Truth(allocation.pinned),
        allocation.session.clone().into(),
        allocation.allocated_at.into(),
        allocation.last_used_at.into(),
        allocation.last_checked_at.into(),
        allocation.released_at.into(),
    ]
}

/// Reads an allocation: the columns of [`ALLOCATION`], then its number.
pub(super) fn allocation(row: &Row) -> Result<Allocation, Unfit> {
    Ok(Allocation {
        host: get(row, 0)?,
        user: get(row, 1)?,
        protocol: parsed(row, 2)?,
        port: port(row, 3)?,
        project: parsed(row, 4)?,
        worktree: optional(row, 5)?,
        path: get::<Option<Vec<u8>>>(row, 6)?.map(path_from),
        branch: get(row, 7)?,
        service: parsed(row, 8)?,
        environment: parsed(row, 9)?,
        primary: get(row, 10)?,
        status: parsed(row, 11)?,
        service_type: get(row, 12)?,
        description: get(row, 13)?,
        public_hostname: get(row, 14)?,
        pinned: get(row, 15)?,
        session: get(row, 16)?,
        allocated_at: time(row, 17)?,
        last_used_at: optional_time(row, 18)?,
        last_checked_at: optional_time(row, 19)?,
        released_at: optional_time(row, 20)?,
        id: get(row, 21)?,
    })
}

pub(super) fn worktree(row: &Row) -> Result<WorktreeRecord, Unfit> {
    Ok(WorktreeRecord {
        token: parsed(row, 0)?,
        host: get(row, 1)?,
        project: parsed(row, 2)?,
        repository: parsed(row, 3)?,
        common_dir: path_from(get(row, 4)?),
        admin_dir: path_from(get(row, 5)?),
        path: path_from(get(row, 6)?),
        branch: get(row, 7)?,
        main: get(row, 8)?,
        place: Place {
            device: get::<i64>(row, 9)?.cast_unsigned(),
            filesystem: get::<i64>(row, 10)?.cast_unsigned(),
            mount: path_from(get(row, 11)?),
        },
        seen_at: time(row, 12)?,
        missing_since: optional_time(row, 13)?,
    })
}

pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, Unfit> {
    row.try_get(column).map_err(|error| error.to_string())
}

pub(super) fn parsed<T: FromStr>(row: &Row, column: usize) -> Result<T, Unfit>
where
    T::Err: std::fmt::Display,
{
    get::<&str>(row, column)?.parse().map_err(|error: T::Err| error.to_string())
}

pub(super) fn optional<T: FromStr>(row: &Row, column: usize) -> Result<Option<T>, Unfit>
where
    T::Err: std::fmt::Display,
{
    let text: Option<&str> = get(row, column)?;
    text.map(|text| text.parse().map_err(|error: T::Err| error.to_string())).transpose()
}

pub(super) fn port(row: &Row, column: usize) -> Result<Port, Unfit> {
    let number: i32 = get(row, column)?;
    u16::try_from(number).ok().and_then(Port::new).ok_or_else(|| format!("{number} is no port"))
}

pub(super) fn range(row: &Row, column: usize) -> Result<PortRange, Unfit> {
    PortRange::new(port(row, column)?, port(row, column + 1)?)
        .ok_or_else(|| "a range ends before it begins".to_owned())
}

pub(super) fn time(row: &Row, column: usize) -> Result<Timestamp, Unfit> {
    Timestamp::from_millisecond(get(row, column)?).map_err(|error| error.to_string())
}

pub(super) fn optional_time(row: &Row, column: usize) -> Result<Option<Timestamp>, Unfit> {
    let milliseconds: Option<i64> = get(row, column)?;
    let read = |milliseconds| Timestamp::from_millisecond(milliseconds).map_err(|error| error.to_string());
    milliseconds.map(read).transpose()
}
