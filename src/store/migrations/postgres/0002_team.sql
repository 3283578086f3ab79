-- What holds for a team: a port that is held for all machines, and names that are held once.

-- Whether the port is held for the whole team: it is a production port, or lies in a shared range.
ALTER TABLE git_port.allocations ADD COLUMN shared BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX one_owner_for_the_team ON git_port.allocations (protocol, port)
    WHERE status <> 'released' AND shared;

CREATE TABLE git_port.shared_ranges (
    first_port INTEGER NOT NULL CHECK (first_port BETWEEN 1 AND 65535),
    last_port  INTEGER NOT NULL CHECK (last_port BETWEEN 1 AND 65535),
    PRIMARY KEY (first_port, last_port),
    CHECK (first_port <= last_port)
);

-- A public host name leads to one service.
CREATE UNIQUE INDEX one_public_hostname ON git_port.allocations (lower(public_hostname))
    WHERE status <> 'released' AND public_hostname IS NOT NULL;

-- A port lies in the range of one project at most.
ALTER TABLE git_port.ranges ADD CONSTRAINT one_project_for_a_range
    EXCLUDE USING gist (int4range(first_port, last_port, '[]') WITH &&) WHERE (kind = 'project');

-- How many a user has.
CREATE INDEX allocations_of_an_owner ON git_port.allocations (owner) WHERE status <> 'released';
