//! The registry's rows in SQLite: what stands in which column.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::columns::{
    ALLOCATION, WORKTREE, allocation, optional, optional_time, parsed, port, range, time, values, worktree,
};
use super::file::failure;
use crate::registry::{
    Allocation, EnvironmentName, Event, HealthCheck, Port, PortRange, ProjectName, Protocol, RangeRecord,
    Reservation, RunRecord, Token, WorktreeRecord,
};
use crate::store::paths::{path_bytes, path_from};
use crate::store::{Filter, PortRecord, Rows, StoreError, Transaction};

/// How many ports are counted together in the table of what is promised.
const PART: u32 = 128;

/// A transaction's view of the rows.
pub(super) struct SqliteRows<'a> {
    connection: &'a Connection,
    path: &'a Path,
    common_dirs: Vec<PathBuf>,
}

impl<'a> SqliteRows<'a> {
    pub(super) fn new(connection: &'a Connection, path: &'a Path) -> Self {
        Self { connection, path, common_dirs: Vec::new() }
    }

    /// Returns the repositories whose worktrees were stored.
    pub(super) fn into_common_dirs(self) -> Vec<PathBuf> {
        self.common_dirs
    }

    /// Reads the worktrees of every machine, to see whether they can be read.
    pub(super) fn all_worktrees(&self) -> Result<(), StoreError> {
        self.query(&format!("SELECT {WORKTREE} FROM worktrees"), [], worktree).map(|_| ())
    }

    /// Compares what is counted with the rows themselves.
    pub(super) fn counted(&self) -> Result<(), StoreError> {
        if !self.has_table("promised")? {
            return Ok(());
        }
        let sql = "SELECT 1 FROM (SELECT host, protocol, port / ?1 AS part, count(*) AS ports FROM allocations \
            WHERE status <> 'released' GROUP BY 1, 2, 3) AS there FULL JOIN promised USING (host, protocol, part) \
            WHERE coalesce(there.ports, 0) <> coalesce(promised.ports, 0) LIMIT 1";
        if self.query(sql, [PART], |_| Ok(()))?.is_empty() {
            return Ok(());
        }
        let registry = self.path.display().to_string();
        Err(StoreError::Damaged { registry, why: "the promised ports are counted wrongly".to_owned() })
    }

    fn query<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = || {
            let mut statement = self.connection.prepare(sql)?;
            statement.query_map(params, read)?.collect()
        };
        let rows: rusqlite::Result<Vec<T>> = rows();
        rows.map_err(|error| self.misread(&error))
    }

    /// Says whether there is such a table: who only reads adds nothing to those of an older version.
    fn has_table(&self, name: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        Ok(!self.query(sql, [name], |_| Ok(()))?.is_empty())
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
        self.connection.execute(sql, params).map_err(|error| failure(self.path, "write", &error))
    }

    /// A value that cannot be what we wrote means a damaged file.
    fn misread(&self, error: &rusqlite::Error) -> StoreError {
        let damaged = matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::Utf8Error(..)
        );
        if damaged {
            return StoreError::Damaged { registry: self.path.display().to_string(), why: error.to_string() };
        }
        failure(self.path, "read", error)
    }
}

/// Says in SQL whether a port of this environment is held for the whole team, which the index needs to see.
fn shared(environment: &str, port: &str) -> String {
    format!(
        "({environment} = 'production' OR EXISTS (SELECT 1 FROM shared_ranges \
         WHERE {port} BETWEEN first_port AND last_port))"
    )
}

impl Rows for SqliteRows<'_> {
    fn allocations(&mut self, filter: &Filter) -> Result<Vec<Allocation>, StoreError> {
        let mut sql = format!("SELECT {ALLOCATION} FROM allocations WHERE 1");
        let mut values: Vec<Value> = Vec::new();
        let mut equal = |column: &str, value: Option<Value>| {
            if let Some(value) = value {
                values.push(value);
                sql.push_str(&format!(" AND {column} = ?{}", values.len()));
            }
        };
        // Nearly all rows are of this machine, so its name is no way to find the few of a project. The sign
        // keeps SQLite from taking it (<https://www.sqlite.org/optoverview.html>, "The + operator").
        let of_few = (filter.project.is_some() || filter.worktree.is_some()) && filter.port.is_none();
        let [host, protocol] = if of_few { ["+host", "+protocol"] } else { ["host", "protocol"] };
        equal(host, filter.host.clone().map(Value::from));
        equal(protocol, filter.protocol.map(|protocol| Value::from(protocol.name().to_owned())));
        equal("port", filter.port.map(|port| Value::from(i64::from(port.number()))));
        equal("project", filter.project.as_ref().map(|name| Value::from(name.to_string())));
        equal("worktree", filter.worktree.as_ref().map(|token| Value::from(token.to_string())));
        equal("service", filter.service.as_ref().map(|name| Value::from(name.to_string())));
        equal("environment", filter.environment.as_ref().map(|name| Value::from(name.to_string())));
        equal("session", filter.session.clone().map(Value::from));
        equal("owner", filter.user.clone().map(Value::from));
        let hostname = filter.public_hostname.as_ref().map(|name| Value::from(name.to_ascii_lowercase()));
        equal("public_hostname IS NOT NULL AND lower(public_hostname)", hostname);
        if filter.shared {
            sql.push_str(" AND shared = 1");
        }
        match filter.live {
            // Written as the partial indexes are, so that they are used.
            Some(true) => sql.push_str(" AND status <> 'released'"),
            Some(false) => sql.push_str(" AND status = 'released'"),
            None => {}
        }
        sql.push_str(if of_few {
            " ORDER BY +port, protocol, id DESC"
        } else {
            " ORDER BY port, protocol, id DESC"
        });
        self.query(&sql, params_from_iter(values), allocation)
    }

    fn ports(
        &mut self,
        host: &str,
        protocol: Protocol,
        range: PortRange,
    ) -> Result<Vec<PortRecord>, StoreError> {
        // The rows of a port are put together here: grouping them there costs twice as much.
        let sql = "SELECT port, status <> 'released', released_at FROM allocations \
            WHERE host = ?1 AND protocol = ?2 AND port BETWEEN ?3 AND ?4 ORDER BY port";
        let params = params![host, protocol.name(), range.start().number(), range.end().number()];
        let rows = self.query(sql, params, |row| {
            Ok(PortRecord { port: port(row, 0)?, live: row.get(1)?, released_at: optional_time(row, 2)? })
        })?;
        let mut records: Vec<PortRecord> = Vec::with_capacity(rows.len());
        for row in rows {
            match records.last_mut().filter(|last| last.port == row.port) {
                Some(last) => {
                    last.live |= row.live;
                    last.released_at = last.released_at.max(row.released_at);
                }
                None => records.push(row),
            }
        }
        Ok(records)
    }

    fn full(
        &mut self,
        host: &str,
        protocol: Protocol,
        range: PortRange,
    ) -> Result<Vec<PortRange>, StoreError> {
        if !self.has_table("promised")? {
            return Ok(Vec::new());
        }
        let sql = "SELECT part FROM promised WHERE host = ?1 AND protocol = ?2 AND part BETWEEN ?3 AND ?4 \
            AND ports = ?5 ORDER BY part";
        let [start, end] = [range.start(), range.end()].map(|port| u32::from(port.number()));
        let whole = (start.div_ceil(PART), ((end + 1) / PART).checked_sub(1));
        let params = params![host, protocol.name(), whole.0, whole.1, PART];
        self.query(sql, params, |row| Ok(row.get::<_, u32>(0)? * PART)).map(|starts| {
            let port = |number: u32| u16::try_from(number).ok().and_then(Port::new);
            starts
                .into_iter()
                .filter_map(|start| PortRange::new(port(start)?, port(start + PART - 1)?))
                .collect()
        })
    }

    fn shared_ports(&mut self, protocol: Protocol, range: PortRange) -> Result<Vec<Port>, StoreError> {
        let sql = "SELECT port FROM allocations WHERE status <> 'released' AND shared = 1 AND protocol = ?1 \
            AND port BETWEEN ?2 AND ?3";
        let params = params![protocol.name(), range.start().number(), range.end().number()];
        self.query(sql, params, |row| port(row, 0))
    }

    fn shared_ranges(&mut self) -> Result<Vec<PortRange>, StoreError> {
        if !self.has_table("shared_ranges")? {
            return Ok(Vec::new());
        }
        let sql = "SELECT first_port, last_port FROM shared_ranges ORDER BY first_port, last_port";
        self.query(sql, [], |row| range(row, 0))
    }

    fn hosts(&mut self) -> Result<Vec<(String, String)>, StoreError> {
        self.query("SELECT key, name FROM hosts ORDER BY key", [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn worktrees(&mut self, host: &str) -> Result<Vec<WorktreeRecord>, StoreError> {
        self.query(
            &format!("SELECT {WORKTREE} FROM worktrees WHERE host = ?1 ORDER BY path"),
            [host],
            worktree,
        )
    }

    fn worktree(&mut self, token: &Token) -> Result<Option<WorktreeRecord>, StoreError> {
        let sql = format!("SELECT {WORKTREE} FROM worktrees WHERE token = ?1");
        Ok(self.query(&sql, [token.as_str()], worktree)?.pop())
    }

    fn ranges(&mut self) -> Result<Vec<RangeRecord>, StoreError> {
        let sql = "SELECT kind, name, first_port, last_port FROM ranges ORDER BY kind, name, position";
        let rows = self
            .query(sql, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, range(row, 2)?)))?;
        let mut records: Vec<RangeRecord> = Vec::new();
        for (kind, name, range) in rows {
            let damaged =
                |why: String| StoreError::Damaged { registry: self.path.display().to_string(), why };
            let record = if kind == "environment" {
                let name: EnvironmentName = name.parse().map_err(|error| damaged(format!("{error}")))?;
                RangeRecord::Environment(name, vec![range])
            } else {
                let name: ProjectName = name.parse().map_err(|error| damaged(format!("{error}")))?;
                RangeRecord::Project(name, vec![range])
            };
            match (records.last_mut(), &record) {
                (Some(RangeRecord::Environment(last, ranges)), RangeRecord::Environment(name, _))
                    if last == name =>
                {
                    ranges.push(range);
                }
                (Some(RangeRecord::Project(last, ranges)), RangeRecord::Project(name, _)) if last == name => {
                    ranges.push(range);
                }
                _ => records.push(record),
            }
        }
        Ok(records)
    }

    fn reservations(&mut self) -> Result<Vec<Reservation>, StoreError> {
        let sql = "SELECT first_port, last_port, reason FROM reservations ORDER BY first_port, last_port";
        self.query(sql, [], |row| Ok(Reservation { range: range(row, 0)?, reason: row.get(2)? }))
    }

    fn events(&mut self, of: Option<Port>, limit: u32) -> Result<Vec<Event>, StoreError> {
        let sql = "SELECT at, kind, host, port, protocol, project, service, environment, path, branch, session, reason \
            FROM events WHERE (?1 IS NULL OR port = ?1) ORDER BY id DESC LIMIT ?2";
        self.query(sql, params![of.map(Port::number), limit], |row| {
            Ok(Event {
                at: time(row, 0)?,
                kind: parsed(row, 1)?,
                host: row.get(2)?,
                port: row.get::<_, Option<u16>>(3)?.and_then(Port::new),
                protocol: parsed(row, 4)?,
                project: optional(row, 5)?,
                service: optional(row, 6)?,
                environment: optional(row, 7)?,
                path: row.get::<_, Option<Vec<u8>>>(8)?.map(path_from),
                branch: row.get(9)?,
                session: row.get(10)?,
                reason: row.get(11)?,
            })
        })
    }

    fn health_checks(&mut self, allocation: i64, limit: u32) -> Result<Vec<HealthCheck>, StoreError> {
        let sql = "SELECT allocation, at, health, latency, detail FROM health_checks \
            WHERE allocation = ?1 ORDER BY id DESC LIMIT ?2";
        self.query(sql, params![allocation, limit], |row| {
            let latency: i64 = row.get(3)?;
            Ok(HealthCheck {
                allocation: row.get(0)?,
                at: time(row, 1)?,
                health: parsed(row, 2)?,
                latency: Duration::from_micros(latency.unsigned_abs()),
                detail: row.get(4)?,
            })
        })
    }

    fn runs(&mut self, host: &str) -> Result<Vec<RunRecord>, StoreError> {
        let sql = "SELECT allocation, host, pid, started, boot, command, at FROM runs WHERE host = ?1";
        self.query(sql, [host], |row| {
            Ok(RunRecord {
                allocation: row.get(0)?,
                host: row.get(1)?,
                pid: row.get(2)?,
                started: row.get::<_, i64>(3)?.cast_unsigned(),
                boot: row.get(4)?,
                command: row.get(5)?,
                at: time(row, 6)?,
            })
        })
    }

    fn host_name(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.query("SELECT name FROM hosts WHERE key = ?1", [key], |row| row.get(0))?.pop())
    }

    fn note(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        self.connection
            .query_row("SELECT value FROM notes WHERE key = ?1", [key], |row| row.get(0))
            .optional()
            .map_err(|error| self.misread(&error))
    }
}

impl Transaction for SqliteRows<'_> {
    fn insert_allocation(&mut self, allocation: &Allocation) -> Result<i64, StoreError> {
        let sql = format!(
            "INSERT INTO allocations ({ALLOCATION}, shared) VALUES (NULL, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
             ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, {})",
            shared("?11", "?5")
        );
        self.execute(&sql, params_from_iter(values(allocation)))?;
        Ok(self.connection.last_insert_rowid())
    }

    fn update_allocation(&mut self, allocation: &Allocation) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE allocations SET host = ?2, owner = ?3, protocol = ?4, port = ?5, project = ?6, \
            worktree = ?7, path = ?8, branch = ?9, service = ?10, environment = ?11, is_primary = ?12, status = ?13, \
            service_type = ?14, description = ?15, public_hostname = ?16, pinned = ?17, session = ?18, \
            allocated_at = ?19, last_used_at = ?20, last_checked_at = ?21, released_at = ?22, shared = {} \
            WHERE id = ?1",
            shared("?11", "?5")
        );
        self.execute(&sql, params_from_iter(values(allocation))).map(|_| ())
    }

    fn delete_allocation(&mut self, id: i64) -> Result<(), StoreError> {
        // What hangs on a row goes with it.
        for sql in [
            "DELETE FROM health_checks WHERE allocation = ?1",
            "DELETE FROM runs WHERE allocation = ?1",
            "DELETE FROM allocations WHERE id = ?1",
        ] {
            self.execute(sql, [id])?;
        }
        Ok(())
    }

    fn put_worktree(&mut self, worktree: &WorktreeRecord) -> Result<(), StoreError> {
        if !self.common_dirs.contains(&worktree.common_dir) {
            self.common_dirs.push(worktree.common_dir.clone());
        }
        let sql = format!(
            "INSERT OR REPLACE INTO worktrees ({WORKTREE}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
             ?12, ?13, ?14)"
        );
        let params = params![
            worktree.token.as_str(),
            worktree.host,
            worktree.project.as_str(),
            worktree.repository.as_str(),
            path_bytes(&worktree.common_dir),
            path_bytes(&worktree.admin_dir),
            path_bytes(&worktree.path),
            worktree.branch,
            worktree.main,
            worktree.place.device.cast_signed(),
            worktree.place.filesystem.cast_signed(),
            path_bytes(&worktree.place.mount),
            worktree.seen_at.as_millisecond(),
            worktree.missing_since.map(Timestamp::as_millisecond),
        ];
        self.execute(&sql, params).map(|_| ())
    }

    fn delete_worktree(&mut self, token: &Token) -> Result<(), StoreError> {
        self.execute("DELETE FROM worktrees WHERE token = ?1", [token.as_str()]).map(|_| ())
    }

    fn put_range(&mut self, range: &RangeRecord) -> Result<(), StoreError> {
        let (kind, name, ranges) = match range {
            RangeRecord::Environment(name, ranges) => ("environment", name.as_str(), ranges),
            RangeRecord::Project(name, ranges) => ("project", name.as_str(), ranges),
        };
        self.execute("DELETE FROM ranges WHERE kind = ?1 AND name = ?2", [kind, name])?;
        for (position, range) in (0_i64..).zip(ranges) {
            let sql = "INSERT INTO ranges (kind, name, position, first_port, last_port) VALUES (?1, ?2, ?3, ?4, ?5)";
            self.execute(sql, params![kind, name, position, range.start().number(), range.end().number()])?;
        }
        Ok(())
    }

    fn share(&mut self, range: PortRange, shared: bool) -> Result<(), StoreError> {
        let ends = [range.start().number(), range.end().number()];
        let sql = if shared {
            "INSERT OR IGNORE INTO shared_ranges (first_port, last_port) VALUES (?1, ?2)"
        } else {
            "DELETE FROM shared_ranges WHERE first_port = ?1 AND last_port = ?2"
        };
        self.execute(sql, ends)?;
        let shared = self::shared("environment", "port");
        let sql = format!("UPDATE allocations SET shared = {shared} WHERE port BETWEEN ?1 AND ?2");
        self.execute(&sql, ends).map(|_| ())
    }

    fn put_reservation(&mut self, reservation: &Reservation) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO reservations (first_port, last_port, reason) VALUES (?1, ?2, ?3)";
        let range = reservation.range;
        self.execute(sql, params![range.start().number(), range.end().number(), reservation.reason])
            .map(|_| ())
    }

    fn delete_reservation(&mut self, range: PortRange) -> Result<bool, StoreError> {
        let sql = "DELETE FROM reservations WHERE first_port = ?1 AND last_port = ?2";
        Ok(self.execute(sql, params![range.start().number(), range.end().number()])? > 0)
    }

    fn append_event(&mut self, event: &Event) -> Result<(), StoreError> {
        let sql = "INSERT INTO events (at, kind, host, port, protocol, project, service, environment, path, branch, \
            session, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let params = params![
            event.at.as_millisecond(),
            event.kind.name(),
            event.host,
            event.port.map(Port::number),
            event.protocol.name(),
            event.project.as_ref().map(ProjectName::as_str),
            event.service.as_ref().map(crate::registry::ServiceName::as_str),
            event.environment.as_ref().map(EnvironmentName::as_str),
            event.path.as_deref().map(path_bytes),
            event.branch,
            event.session,
            event.reason,
        ];
        self.execute(sql, params).map(|_| ())
    }

    fn trim_events(&mut self, keep: u32) -> Result<(), StoreError> {
        let sql = "DELETE FROM events WHERE id <= (SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?1)";
        self.execute(sql, [keep]).map(|_| ())
    }

    fn append_health_check(&mut self, check: &HealthCheck, keep: u32) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO health_checks (allocation, at, health, latency, detail) VALUES (?1, ?2, ?3, ?4, ?5)";
        let latency = i64::try_from(check.latency.as_micros()).unwrap_or(i64::MAX);
        let at = check.at.as_millisecond();
        self.execute(sql, params![check.allocation, at, check.health.name(), latency, check.detail])?;
        let sql = "DELETE FROM health_checks WHERE allocation = ?1 AND id <= (SELECT id FROM health_checks \
            WHERE allocation = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
        self.execute(sql, params![check.allocation, keep]).map(|_| ())
    }

    fn put_run(&mut self, run: &RunRecord) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO runs (allocation, host, pid, started, boot, command, at) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let at = run.at.as_millisecond();
        let started = run.started.cast_signed();
        self.execute(sql, params![run.allocation, run.host, run.pid, started, run.boot, run.command, at])
            .map(|_| ())
    }

    fn delete_run(&mut self, allocation: i64) -> Result<(), StoreError> {
        self.execute("DELETE FROM runs WHERE allocation = ?1", [allocation]).map(|_| ())
    }

    fn put_host(&mut self, key: &str, name: &str) -> Result<(), StoreError> {
        // Nothing is written when nothing changed, so that a lone allocation stays small.
        let sql = "INSERT INTO hosts (key, name) VALUES (?1, ?2) \
            ON CONFLICT DO UPDATE SET name = excluded.name WHERE name <> excluded.name";
        self.execute(sql, [key, name]).map(|_| ())
    }

    fn put_note(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO notes (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
        self.execute(sql, [key, value]).map(|_| ())
    }
}
