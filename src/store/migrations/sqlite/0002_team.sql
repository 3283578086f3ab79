-- What holds for a team: a port that is held for all machines, and names that are held once. On what was
-- recorded before, nothing new is asked: it must not keep the registry from being opened.

-- Whether the port is held for the whole team: it is a production port, or lies in a shared range.
ALTER TABLE allocations ADD COLUMN shared INTEGER NOT NULL DEFAULT 0 CHECK (shared IN (0, 1));
CREATE UNIQUE INDEX one_owner_for_the_team ON allocations (protocol, port)
    WHERE status <> 'released' AND shared = 1;

CREATE TABLE shared_ranges (
    first_port INTEGER NOT NULL CHECK (first_port BETWEEN 1 AND 65535),
    last_port  INTEGER NOT NULL CHECK (last_port BETWEEN first_port AND 65535),
    PRIMARY KEY (first_port, last_port)
) STRICT, WITHOUT ROWID;

-- A public host name leads to one service.
CREATE INDEX public_hostnames ON allocations (lower(public_hostname))
    WHERE status <> 'released' AND public_hostname IS NOT NULL;
CREATE TRIGGER one_public_hostname BEFORE INSERT ON allocations
    WHEN NEW.status <> 'released' AND NEW.public_hostname IS NOT NULL AND EXISTS (
        SELECT 1 FROM allocations WHERE status <> 'released' AND public_hostname IS NOT NULL
            AND lower(public_hostname) = lower(NEW.public_hostname))
    BEGIN SELECT RAISE(ABORT, 'one_public_hostname: the public host name has an owner'); END;
CREATE TRIGGER one_public_hostname_when_changed BEFORE UPDATE ON allocations
    WHEN NEW.status <> 'released' AND NEW.public_hostname IS NOT NULL
        AND (OLD.status = 'released' OR OLD.public_hostname IS NOT NEW.public_hostname) AND EXISTS (
            SELECT 1 FROM allocations WHERE status <> 'released' AND public_hostname IS NOT NULL
                AND lower(public_hostname) = lower(NEW.public_hostname) AND id <> NEW.id)
    BEGIN SELECT RAISE(ABORT, 'one_public_hostname: the public host name has an owner'); END;

-- A port lies in the range of one project at most.
CREATE TRIGGER one_project_for_a_range BEFORE INSERT ON ranges
    WHEN NEW.kind = 'project' AND EXISTS (
        SELECT 1 FROM ranges WHERE kind = 'project' AND first_port <= NEW.last_port
            AND last_port >= NEW.first_port)
    BEGIN SELECT RAISE(ABORT, 'one_project_for_a_range: the range overlaps that of a project'); END;
