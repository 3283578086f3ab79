-- How many ports of each 128 are promised, so that whoever chooses one need not count them. Triggers keep it,
-- so it is right after an older git-port has written, too.
CREATE TABLE promised (
    host     TEXT NOT NULL,
    protocol TEXT NOT NULL,
    part     INTEGER NOT NULL,
    ports    INTEGER NOT NULL CHECK (ports BETWEEN 0 AND 128),
    PRIMARY KEY (host, protocol, part)
) STRICT, WITHOUT ROWID;
INSERT INTO promised SELECT host, protocol, port / 128, count(*) FROM allocations
    WHERE status <> 'released' GROUP BY 1, 2, 3;
CREATE TRIGGER promised_when_made AFTER INSERT ON allocations WHEN NEW.status <> 'released'
    BEGIN
        INSERT INTO promised VALUES (NEW.host, NEW.protocol, NEW.port / 128, 1)
            ON CONFLICT DO UPDATE SET ports = ports + 1;
    END;
CREATE TRIGGER promised_when_removed AFTER DELETE ON allocations WHEN OLD.status <> 'released'
    BEGIN
        UPDATE promised SET ports = ports - 1
            WHERE host = OLD.host AND protocol = OLD.protocol AND part = OLD.port / 128;
    END;
CREATE TRIGGER promised_when_changed AFTER UPDATE ON allocations
    WHEN (OLD.status = 'released') <> (NEW.status = 'released') OR OLD.port <> NEW.port
        OR OLD.protocol <> NEW.protocol OR OLD.host <> NEW.host
    BEGIN
        UPDATE promised SET ports = ports - 1
            WHERE OLD.status <> 'released' AND host = OLD.host AND protocol = OLD.protocol
                AND part = OLD.port / 128;
        INSERT INTO promised SELECT NEW.host, NEW.protocol, NEW.port / 128, 1 WHERE NEW.status <> 'released'
            ON CONFLICT DO UPDATE SET ports = ports + 1;
    END;
