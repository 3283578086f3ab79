//! The registry's rows in PostgreSQL: what stands in which column.

use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::Row;

use super::columns::{
    ALLOCATION, Unfit, WORKTREE, allocation, get, optional, optional_time, parsed, path, port, range, time,
    values, worktree,
};
use super::link::{Link, Trouble, Value};
use crate::registry::{
    Allocation, EnvironmentName, Event, HealthCheck, Port, PortRange, ProjectName, Protocol, RangeRecord,
    Reservation, RunRecord, ServiceName, Token, WorktreeRecord,
};
use crate::store::paths::{path_bytes, path_from};
use crate::store::{Filter, PortRecord, Rows, StoreError, Transaction};

/// The version that began to hold ports for a team. Who only reads adds nothing to older tables.
const SHARED_SINCE: i64 = 2;

/// A transaction's view of the rows.
pub(super) struct PostgresRows<'a> {
    link: &'a Link,
    within: Duration,
    /// The version of the tables; 0 if there are none, so that there is nothing to see.
    version: i64,
    /// The revisions of the allocations that were read, by number.
    revisions: HashMap<i64, i64>,
    /// What went wrong first. The server takes no more statements after that.
    trouble: Option<Trouble>,
}

impl<'a> PostgresRows<'a> {
    pub(super) fn new(link: &'a Link, within: Duration, version: i64) -> Self {
        Self { link, within, version, revisions: HashMap::new(), trouble: None }
    }

    /// Returns what went wrong, if anything did.
    pub(super) fn into_trouble(self) -> Option<Trouble> {
        self.trouble
    }

    /// Keeps what went wrong for the store, and returns what the one who asked is told. He may say what
    /// he likes to that: the store decides whether the transaction is run again.
    fn failed(&mut self, trouble: Trouble) -> StoreError {
        let registry = self.link.shown().to_owned();
        let error = match &trouble {
            Trouble::Constraint(why) => StoreError::Constraint { why: why.clone() },
            Trouble::Lost(why) | Trouble::Race(why) => StoreError::Unavailable { registry, why: why.clone() },
            Trouble::Unmade => StoreError::Failed { registry, why: "its tables are gone".to_owned() },
            Trouble::Final(error) => StoreError::Failed { registry, why: error.to_string() },
        };
        self.trouble.get_or_insert(trouble);
        error
    }

    fn query<T>(
        &mut self,
        sql: &str,
        values: &[Value],
        read: impl FnMut(&Row) -> Result<T, Unfit>,
    ) -> Result<Vec<T>, StoreError> {
        if self.version == 0 {
            return Ok(Vec::new());
        }
        let rows = self.link.query(sql, values, self.within).map_err(|trouble| self.failed(trouble))?;
        let rows: Result<Vec<T>, Unfit> = rows.iter().map(read).collect();
        rows.map_err(|why| {
            let registry = self.link.shown().to_owned();
            // A value that cannot be what we wrote.
            let damaged = StoreError::Damaged { registry: registry.clone(), why: why.clone() };
            self.trouble.get_or_insert(Trouble::Final(damaged));
            StoreError::Damaged { registry, why }
        })
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        self.link.execute(sql, values, self.within).map_err(|trouble| self.failed(trouble))
    }

    /// Says that another host has changed the row since it was read here.
    fn overtaken(&mut self) -> StoreError {
        self.failed(Trouble::Race("another host changed the same allocation".to_owned()))
    }
}

/// Says in SQL whether a port of this environment is held for the whole team, which the index needs to see.
fn shared(environment: &str, port: &str) -> String {
    format!(
        "({environment} = 'production' OR EXISTS (SELECT 1 FROM git_port.shared_ranges \
         WHERE {port} BETWEEN first_port AND last_port))"
    )
}

impl Rows for PostgresRows<'_> {
    fn allocations(&mut self, filter: &Filter) -> Result<Vec<Allocation>, StoreError> {
        let mut sql = format!("SELECT {ALLOCATION}, id, revision FROM git_port.allocations WHERE TRUE");
        let mut values: Vec<Value> = Vec::new();
        let mut equal = |column: &str, value: Option<Value>| {
            if let Some(value) = value {
                values.push(value);
                sql.push_str(&format!(" AND {column} = ${}", values.len()));
            }
        };
        equal("host", filter.host.as_deref().map(Value::from));
        equal("protocol", filter.protocol.map(|protocol| protocol.name().into()));
        equal("port", filter.port.map(Value::from));
        equal("project", filter.project.as_ref().map(|name| name.as_str().into()));
        equal("worktree", filter.worktree.as_ref().map(|token| token.as_str().into()));
        equal("service", filter.service.as_ref().map(|name| name.as_str().into()));
        equal("environment", filter.environment.as_ref().map(|name| name.as_str().into()));
        equal("session", filter.session.as_deref().map(Value::from));
        equal("owner", filter.user.as_deref().map(Value::from));
        let hostname = filter.public_hostname.as_ref().map(|name| name.to_ascii_lowercase().as_str().into());
        equal("public_hostname IS NOT NULL AND lower(public_hostname)", hostname);
        if filter.shared {
            sql.push_str(" AND shared");
        }
        match filter.live {
            // Written as the partial indexes are, so that they are used.
            Some(true) => sql.push_str(" AND status <> 'released'"),
            Some(false) => sql.push_str(" AND status = 'released'"),
            None => {}
        }
        sql.push_str(" ORDER BY port, protocol, id DESC");
        let found = self.query(&sql, &values, |row| Ok((allocation(row)?, get::<i64>(row, 22)?)))?;
        let keep = |(allocation, revision): (Allocation, i64)| {
            self.revisions.insert(allocation.id, revision);
            allocation
        };
        Ok(found.into_iter().map(keep).collect())
    }

    fn ports(
        &mut self,
        host: &str,
        protocol: Protocol,
        range: PortRange,
    ) -> Result<Vec<PortRecord>, StoreError> {
        let sql = "SELECT port, bool_or(status <> 'released'), max(released_at) FROM git_port.allocations \
            WHERE host = $1 AND protocol = $2 AND port BETWEEN $3 AND $4 GROUP BY port ORDER BY port";
        let values = [host.into(), protocol.name().into(), range.start().into(), range.end().into()];
        self.query(sql, &values, |row| {
            Ok(PortRecord { port: port(row, 0)?, live: get(row, 1)?, released_at: optional_time(row, 2)? })
        })
    }

    fn shared_ports(&mut self, protocol: Protocol, range: PortRange) -> Result<Vec<Port>, StoreError> {
        if self.version < SHARED_SINCE {
            return Ok(Vec::new());
        }
        let sql = "SELECT port FROM git_port.allocations WHERE status <> 'released' AND shared \
            AND protocol = $1 AND port BETWEEN $2 AND $3";
        let values = [protocol.name().into(), range.start().into(), range.end().into()];
        self.query(sql, &values, |row| port(row, 0))
    }

    fn shared_ranges(&mut self) -> Result<Vec<PortRange>, StoreError> {
        if self.version < SHARED_SINCE {
            return Ok(Vec::new());
        }
        let sql = "SELECT first_port, last_port FROM git_port.shared_ranges ORDER BY first_port, last_port";
        self.query(sql, &[], |row| range(row, 0))
    }

    fn hosts(&mut self) -> Result<Vec<(String, String)>, StoreError> {
        let sql = "SELECT key, name FROM git_port.hosts ORDER BY key";
        self.query(sql, &[], |row| Ok((get(row, 0)?, get(row, 1)?)))
    }

    fn worktrees(&mut self, host: &str) -> Result<Vec<WorktreeRecord>, StoreError> {
        let sql = format!("SELECT {WORKTREE} FROM git_port.worktrees WHERE host = $1 ORDER BY path");
        self.query(&sql, &[host.into()], worktree)
    }

    fn worktree(&mut self, token: &Token) -> Result<Option<WorktreeRecord>, StoreError> {
        let sql = format!("SELECT {WORKTREE} FROM git_port.worktrees WHERE token = $1");
        Ok(self.query(&sql, &[token.as_str().into()], worktree)?.pop())
    }

    fn ranges(&mut self) -> Result<Vec<RangeRecord>, StoreError> {
        let sql = "SELECT kind, name, array_agg(first_port ORDER BY position), \
            array_agg(last_port ORDER BY position) FROM git_port.ranges GROUP BY kind, name ORDER BY kind, name";
        self.query(sql, &[], |row| {
            let (firsts, lasts): (Vec<i32>, Vec<i32>) = (get(row, 2)?, get(row, 3)?);
            let port = |number: i32| u16::try_from(number).ok().and_then(Port::new);
            let range = |(first, last): (i32, i32)| PortRange::new(port(first)?, port(last)?);
            let ranges: Option<Vec<PortRange>> = firsts.into_iter().zip(lasts).map(range).collect();
            let ranges = ranges.ok_or("a range ends before it begins")?;
            Ok(if get::<&str>(row, 0)? == "environment" {
                RangeRecord::Environment(parsed(row, 1)?, ranges)
            } else {
                RangeRecord::Project(parsed(row, 1)?, ranges)
            })
        })
    }

    fn reservations(&mut self) -> Result<Vec<Reservation>, StoreError> {
        let sql =
            "SELECT first_port, last_port, reason FROM git_port.reservations ORDER BY first_port, last_port";
        self.query(sql, &[], |row| Ok(Reservation { range: range(row, 0)?, reason: get(row, 2)? }))
    }

    fn events(&mut self, of: Option<Port>, limit: u32) -> Result<Vec<Event>, StoreError> {
        let of_port = if of.is_some() { "WHERE port = $2" } else { "" };
        let sql = format!(
            "SELECT at, kind, host, port, protocol, project, service, environment, path, branch, session, reason \
             FROM git_port.events {of_port} ORDER BY id DESC LIMIT $1"
        );
        let mut values = vec![Value::from(i64::from(limit))];
        values.extend(of.map(Value::from));
        self.query(&sql, &values, |row| {
            let number: Option<i32> = get(row, 3)?;
            Ok(Event {
                at: time(row, 0)?,
                kind: parsed(row, 1)?,
                host: get(row, 2)?,
                port: number.and_then(|number| u16::try_from(number).ok()).and_then(Port::new),
                protocol: parsed(row, 4)?,
                project: optional(row, 5)?,
                service: optional(row, 6)?,
                environment: optional(row, 7)?,
                path: get::<Option<Vec<u8>>>(row, 8)?.map(path_from),
                branch: get(row, 9)?,
                session: get(row, 10)?,
                reason: get(row, 11)?,
            })
        })
    }

    fn health_checks(&mut self, allocation: i64, limit: u32) -> Result<Vec<HealthCheck>, StoreError> {
        let sql = "SELECT allocation, at, health, latency, detail FROM git_port.health_checks \
            WHERE allocation = $1 ORDER BY id DESC LIMIT $2";
        self.query(sql, &[allocation.into(), i64::from(limit).into()], |row| {
            Ok(HealthCheck {
                allocation: get(row, 0)?,
                at: time(row, 1)?,
                health: parsed(row, 2)?,
                latency: Duration::from_micros(get::<i64>(row, 3)?.unsigned_abs()),
                detail: get(row, 4)?,
            })
        })
    }

    fn runs(&mut self, host: &str) -> Result<Vec<RunRecord>, StoreError> {
        let sql =
            "SELECT allocation, host, pid, started, boot, command, at FROM git_port.runs WHERE host = $1";
        self.query(sql, &[host.into()], |row| {
            let pid: i64 = get(row, 2)?;
            Ok(RunRecord {
                allocation: get(row, 0)?,
                host: get(row, 1)?,
                pid: u32::try_from(pid).map_err(|error| error.to_string())?,
                started: get::<i64>(row, 3)?.cast_unsigned(),
                boot: get(row, 4)?,
                command: get(row, 5)?,
                at: time(row, 6)?,
            })
        })
    }

    fn host_name(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self
            .query("SELECT name FROM git_port.hosts WHERE key = $1", &[key.into()], |row| get(row, 0))?
            .pop())
    }

    fn note(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self
            .query("SELECT value FROM git_port.notes WHERE key = $1", &[key.into()], |row| get(row, 0))?
            .pop())
    }
}

impl Transaction for PostgresRows<'_> {
    fn insert_allocation(&mut self, allocation: &Allocation) -> Result<i64, StoreError> {
        let values = values(allocation);
        let numbers: Vec<String> = (1..=values.len()).map(|number| format!("${number}")).collect();
        let sql = format!(
            "INSERT INTO git_port.allocations ({ALLOCATION}, shared) VALUES ({}, {}) RETURNING id",
            numbers.join(", "),
            shared("$10", "$4")
        );
        let id = self.query(&sql, &values, |row| get::<i64>(row, 0))?.pop().unwrap_or_default();
        self.revisions.insert(id, 0);
        Ok(id)
    }

    fn update_allocation(&mut self, allocation: &Allocation) -> Result<(), StoreError> {
        let mut values = values(allocation);
        let set: Vec<String> = ALLOCATION
            .split(',')
            .zip(1..)
            .map(|(column, number)| format!("{} = ${number}", column.trim()))
            .collect();
        values.push(allocation.id.into());
        let id = values.len();
        // One that was not read here is replaced whatever it is.
        let known = self.revisions.get(&allocation.id).copied();
        let unchanged = known.map_or(String::new(), |_| format!(" AND revision = ${}", id + 1));
        values.extend(known.map(Value::from));
        let sql = format!(
            "UPDATE git_port.allocations SET {}, shared = {}, revision = revision + 1 \
             WHERE id = ${id}{unchanged}",
            set.join(", "),
            shared("$10", "$4")
        );
        let changed = self.execute(&sql, &values)?;
        match known {
            Some(_) if changed == 0 => Err(self.overtaken()),
            Some(revision) => {
                self.revisions.insert(allocation.id, revision + 1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn delete_allocation(&mut self, id: i64) -> Result<(), StoreError> {
        let known = self.revisions.remove(&id);
        let unchanged = if known.is_some() { " AND revision = $2" } else { "" };
        let mut values = vec![Value::from(id)];
        values.extend(known.map(Value::from));
        let sql = format!("DELETE FROM git_port.allocations WHERE id = $1{unchanged}");
        if self.execute(&sql, &values)? == 0 && known.is_some() {
            return Err(self.overtaken());
        }
        // What hangs on a row goes with it.
        self.execute("DELETE FROM git_port.health_checks WHERE allocation = $1", &[id.into()])?;
        self.execute("DELETE FROM git_port.runs WHERE allocation = $1", &[id.into()]).map(|_| ())
    }

    fn put_worktree(&mut self, worktree: &WorktreeRecord) -> Result<(), StoreError> {
        let set: Vec<String> = WORKTREE
            .split(',')
            .skip(1)
            .map(|column| format!("{column} = excluded.{}", column.trim()))
            .collect();
        let sql = format!(
            "INSERT INTO git_port.worktrees ({WORKTREE}) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             ON CONFLICT (token) DO UPDATE SET {}",
            set.join(",")
        );
        let values = [
            worktree.token.as_str().into(),
            worktree.host.as_str().into(),
            worktree.project.as_str().into(),
            worktree.repository.as_str().into(),
            path(&worktree.common_dir),
            path(&worktree.admin_dir),
            path(&worktree.path),
            worktree.branch.clone().into(),
            Value::Truth(worktree.main),
            worktree.place.device.cast_signed().into(),
            worktree.place.filesystem.cast_signed().into(),
            path(&worktree.place.mount),
            worktree.seen_at.into(),
            worktree.missing_since.into(),
        ];
        self.execute(&sql, &values).map(|_| ())
    }

    fn delete_worktree(&mut self, token: &Token) -> Result<(), StoreError> {
        self.execute("DELETE FROM git_port.worktrees WHERE token = $1", &[token.as_str().into()]).map(|_| ())
    }

    fn put_range(&mut self, range: &RangeRecord) -> Result<(), StoreError> {
        let (kind, name, ranges) = match range {
            RangeRecord::Environment(name, ranges) => ("environment", name.as_str(), ranges),
            RangeRecord::Project(name, ranges) => ("project", name.as_str(), ranges),
        };
        let sql = "DELETE FROM git_port.ranges WHERE kind = $1 AND name = $2";
        self.execute(sql, &[kind.into(), name.into()])?;
        for (position, range) in (0_i64..).zip(ranges) {
            let sql = "INSERT INTO git_port.ranges (kind, name, position, first_port, last_port) \
                VALUES ($1, $2, $3, $4, $5)";
            let values =
                [kind.into(), name.into(), position.into(), range.start().into(), range.end().into()];
            self.execute(sql, &values)?;
        }
        Ok(())
    }

    fn share(&mut self, range: PortRange, shared: bool) -> Result<(), StoreError> {
        let ends = [range.start().into(), range.end().into()];
        let sql = if shared {
            "INSERT INTO git_port.shared_ranges (first_port, last_port) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM git_port.shared_ranges WHERE first_port = $1 AND last_port = $2"
        };
        self.execute(sql, &ends)?;
        let shared = self::shared("environment", "port");
        let sql = format!(
            "UPDATE git_port.allocations SET shared = {shared} WHERE port BETWEEN $1 AND $2 AND shared <> {shared}"
        );
        self.execute(&sql, &ends).map(|_| ())
    }

    fn put_reservation(&mut self, reservation: &Reservation) -> Result<(), StoreError> {
        let sql = "INSERT INTO git_port.reservations (first_port, last_port, reason) VALUES ($1, $2, $3) \
            ON CONFLICT (first_port, last_port) DO UPDATE SET reason = excluded.reason";
        let range = reservation.range;
        let values = [range.start().into(), range.end().into(), reservation.reason.clone().into()];
        self.execute(sql, &values).map(|_| ())
    }

    fn delete_reservation(&mut self, range: PortRange) -> Result<bool, StoreError> {
        let sql = "DELETE FROM git_port.reservations WHERE first_port = $1 AND last_port = $2";
        Ok(self.execute(sql, &[range.start().into(), range.end().into()])? > 0)
    }

    fn append_event(&mut self, event: &Event) -> Result<(), StoreError> {
        let sql = "INSERT INTO git_port.events (at, kind, host, port, protocol, project, service, environment, \
            path, branch, session, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let values = [
            event.at.into(),
            event.kind.name().into(),
            event.host.as_str().into(),
            Value::Number(event.port.map(|port| i64::from(port.number()))),
            event.protocol.name().into(),
            event.project.as_ref().map(ProjectName::to_string).into(),
            event.service.as_ref().map(ServiceName::to_string).into(),
            event.environment.as_ref().map(EnvironmentName::to_string).into(),
            Value::Bytes(event.path.as_deref().map(path_bytes)),
            event.branch.clone().into(),
            event.session.clone().into(),
            event.reason.as_str().into(),
        ];
        self.execute(sql, &values).map(|_| ())
    }

    fn trim_events(&mut self, keep: u32) -> Result<(), StoreError> {
        let sql = "DELETE FROM git_port.events WHERE id <= \
            (SELECT id FROM git_port.events ORDER BY id DESC LIMIT 1 OFFSET $1)";
        self.execute(sql, &[i64::from(keep).into()])?;
        // Nobody looks for a transaction any more that ended long ago.
        let sql = "DELETE FROM git_port.commits WHERE at < now() - INTERVAL '1 hour'";
        self.execute(sql, &[]).map(|_| ())
    }

    fn append_health_check(&mut self, check: &HealthCheck, keep: u32) -> Result<(), StoreError> {
        let sql = "INSERT INTO git_port.health_checks (allocation, at, health, latency, detail) \
            VALUES ($1, $2, $3, $4, $5)";
        let latency = i64::try_from(check.latency.as_micros()).unwrap_or(i64::MAX);
        let values = [
            check.allocation.into(),
            check.at.into(),
            check.health.name().into(),
            latency.into(),
            check.detail.as_str().into(),
        ];
        self.execute(sql, &values)?;
        let sql = "DELETE FROM git_port.health_checks WHERE allocation = $1 AND id <= \
            (SELECT id FROM git_port.health_checks WHERE allocation = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
        self.execute(sql, &[check.allocation.into(), i64::from(keep).into()]).map(|_| ())
    }

    fn put_run(&mut self, run: &RunRecord) -> Result<(), StoreError> {
        let sql = "INSERT INTO git_port.runs (allocation, host, pid, started, boot, command, at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (allocation) DO UPDATE SET host = excluded.host, \
            pid = excluded.pid, started = excluded.started, boot = excluded.boot, \
            command = excluded.command, at = excluded.at";
        let values = [
            run.allocation.into(),
            run.host.as_str().into(),
            i64::from(run.pid).into(),
            run.started.cast_signed().into(),
            run.boot.as_str().into(),
            run.command.as_str().into(),
            run.at.into(),
        ];
        self.execute(sql, &values).map(|_| ())
    }

    fn delete_run(&mut self, allocation: i64) -> Result<(), StoreError> {
        self.execute("DELETE FROM git_port.runs WHERE allocation = $1", &[allocation.into()]).map(|_| ())
    }

    fn put_host(&mut self, key: &str, name: &str) -> Result<(), StoreError> {
        // Nothing is written when nothing changed.
        let sql = "INSERT INTO git_port.hosts (key, name) VALUES ($1, $2) \
            ON CONFLICT (key) DO UPDATE SET name = excluded.name WHERE hosts.name <> excluded.name";
        self.execute(sql, &[key.into(), name.into()]).map(|_| ())
    }

    fn put_note(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO git_port.notes (key, value) VALUES ($1, $2) \
            ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        self.execute(sql, &[key.into(), value.into()]).map(|_| ())
    }
}
