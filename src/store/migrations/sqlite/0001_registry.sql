-- The registry as first released. Migrations only ever add: an older git-port goes on reading, and as
-- long as min_writer allows it writing, what a newer one made.

-- Notes of git-port's own: min_reader, min_writer, last_cleanup.
CREATE TABLE notes (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A machine keeps its key when it is renamed.
CREATE TABLE hosts (
    key  TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Paths are BLOBs because git's paths are bytes.
CREATE TABLE worktrees (
    token         TEXT NOT NULL PRIMARY KEY,
    host          TEXT NOT NULL,
    project       TEXT NOT NULL,
    repository    TEXT NOT NULL,
    common_dir    BLOB NOT NULL,
    admin_dir     BLOB NOT NULL,
    path          BLOB NOT NULL,
    branch        TEXT,
    main          INTEGER NOT NULL CHECK (main IN (0, 1)),
    device        INTEGER NOT NULL,
    filesystem    INTEGER NOT NULL,
    mount         BLOB NOT NULL,
    seen_at       INTEGER NOT NULL,
    missing_since INTEGER
) STRICT;

-- AUTOINCREMENT, so that the number of a forgotten row is never used again.
CREATE TABLE allocations (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    host            TEXT NOT NULL,
    owner           TEXT,
    protocol        TEXT NOT NULL CHECK (protocol IN ('tcp', 'udp')),
    port            INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    project         TEXT NOT NULL,
    worktree        TEXT,
    path            BLOB,
    branch          TEXT,
    service         TEXT NOT NULL,
    environment     TEXT NOT NULL,
    is_primary      INTEGER NOT NULL CHECK (is_primary IN (0, 1)),
    status          TEXT NOT NULL CHECK (status IN ('allocated', 'active', 'released')),
    service_type    TEXT,
    description     TEXT,
    public_hostname TEXT,
    pinned          INTEGER NOT NULL CHECK (pinned IN (0, 1)),
    session         TEXT,
    allocated_at    INTEGER NOT NULL,
    last_used_at    INTEGER,
    last_checked_at INTEGER,
    released_at     INTEGER,
    CHECK ((status = 'released') = (released_at IS NOT NULL))
) STRICT;

-- Two owners never have the same port: the promise itself, whatever a rule above it does.
CREATE UNIQUE INDEX one_owner_for_a_port ON allocations (host, protocol, port)
    WHERE status <> 'released';
-- A service of a worktree has one port, and a service outside git has one.
CREATE UNIQUE INDEX one_port_for_a_service ON allocations (worktree, environment, service, protocol)
    WHERE status <> 'released' AND worktree IS NOT NULL;
CREATE UNIQUE INDEX one_port_for_a_service_outside_git
    ON allocations (host, project, environment, service, protocol)
    WHERE status <> 'released' AND worktree IS NULL;
-- PORT stands for one of them, in each environment.
CREATE UNIQUE INDEX one_primary_for_a_worktree ON allocations (worktree, environment)
    WHERE status <> 'released' AND worktree IS NOT NULL AND is_primary = 1;

-- Choosing a port reads this alone; it also repeats what matters of each row, so that an integrity
-- check notices a damaged one.
CREATE INDEX ports ON allocations (host, protocol, port, status, released_at, project, service, environment, worktree);
-- The port a branch's service had before.
CREATE INDEX services ON allocations (project, service, environment, released_at);

-- The ordered ranges of environments and projects.
CREATE TABLE ranges (
    kind        TEXT NOT NULL CHECK (kind IN ('environment', 'project')),
    name        TEXT NOT NULL,
    position    INTEGER NOT NULL,
    first_port  INTEGER NOT NULL CHECK (first_port BETWEEN 1 AND 65535),
    last_port   INTEGER NOT NULL CHECK (last_port BETWEEN first_port AND 65535),
    PRIMARY KEY (kind, name, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE reservations (
    first_port INTEGER NOT NULL CHECK (first_port BETWEEN 1 AND 65535),
    last_port  INTEGER NOT NULL CHECK (last_port BETWEEN first_port AND 65535),
    reason     TEXT,
    PRIMARY KEY (first_port, last_port)
) STRICT, WITHOUT ROWID;

-- What 'git port run' started and has not seen end. A row counts only while that very process runs, so
-- one that was left behind does no harm.
CREATE TABLE runs (
    allocation INTEGER NOT NULL PRIMARY KEY,
    host       TEXT NOT NULL,
    pid        INTEGER NOT NULL,
    started    INTEGER NOT NULL,
    boot       TEXT NOT NULL,
    command    TEXT NOT NULL,
    at         INTEGER NOT NULL
) STRICT;

-- The last looks at each service; latency in microseconds.
CREATE TABLE health_checks (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    allocation INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    health     TEXT NOT NULL CHECK (health IN ('up', 'failing', 'down')),
    latency    INTEGER NOT NULL,
    detail     TEXT NOT NULL
) STRICT;
CREATE INDEX checks_of_an_allocation ON health_checks (allocation, id);

-- What happened. Rows are copies, because what they are about may be forgotten.
CREATE TABLE events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    host        TEXT NOT NULL,
    port        INTEGER,
    protocol    TEXT NOT NULL,
    project     TEXT,
    service     TEXT,
    environment TEXT,
    path        BLOB,
    branch      TEXT,
    session     TEXT,
    reason      TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_a_port ON events (port, id);
