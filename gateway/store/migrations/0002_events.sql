-- Events, apart from the resources: only ever appended, and removed from the old end. A log is an EventLog's path.
-- Positions of a log have no gaps, so that the n-th event of a log is found without counting; time never falls.
CREATE TABLE events (
    log TEXT NOT NULL REFERENCES resources (path) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    time TEXT NOT NULL,
    -- '' when all who see the log may see it, else the one user; NULL for admins alone.
    audience TEXT,
    type TEXT NOT NULL,
    outcome TEXT,
    severity TEXT,
    document TEXT NOT NULL,
    PRIMARY KEY (log, position)
) WITHOUT ROWID;
CREATE INDEX events_by_time ON events (log, time, position);
CREATE INDEX events_by_audience ON events (log, audience, position);
CREATE INDEX events_by_type ON events (log, type, position);
CREATE INDEX events_by_outcome ON events (log, outcome, position);
CREATE INDEX events_by_severity ON events (log, severity, position);

-- The newest position of each log, which outlives the events: positions are never given twice.
CREATE TABLE event_heads (
    log TEXT PRIMARY KEY REFERENCES resources (path) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    time TEXT NOT NULL
) WITHOUT ROWID;

-- How many events of each sort, so that summaries and counts cost the same in a long log as in a short one.
CREATE TABLE event_counts (
    log TEXT NOT NULL REFERENCES resources (path) ON DELETE CASCADE,
    audience TEXT,
    type TEXT NOT NULL,
    outcome TEXT,
    severity TEXT,
    size INTEGER NOT NULL
);
CREATE INDEX event_counts_of_log ON event_counts (log, audience, type);

CREATE TRIGGER event_insert AFTER INSERT ON events BEGIN
    INSERT INTO event_heads VALUES (new.log, new.position, new.time)
    ON CONFLICT DO UPDATE SET position = new.position, time = new.time;
    INSERT INTO event_counts SELECT new.log, new.audience, new.type, new.outcome, new.severity, 0
    WHERE NOT EXISTS (
        SELECT 1 FROM event_counts WHERE log = new.log AND audience IS new.audience AND type = new.type
        AND outcome IS new.outcome AND severity IS new.severity
    );
    UPDATE event_counts SET size = size + 1 WHERE log = new.log AND audience IS new.audience AND type = new.type
    AND outcome IS new.outcome AND severity IS new.severity;
END;
CREATE TRIGGER event_delete AFTER DELETE ON events BEGIN
    UPDATE event_counts SET size = size - 1 WHERE log = old.log AND audience IS old.audience AND type = old.type
    AND outcome IS old.outcome AND severity IS old.severity;
END;
