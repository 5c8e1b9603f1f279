-- Resources as JSON documents, with real columns for what is searched.
CREATE TABLE resources (
    path TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT,
    shared INTEGER NOT NULL,
    -- '' when everyone may see it, else the owner: what listings by a user compare with.
    audience TEXT NOT NULL,
    parent TEXT NOT NULL,
    name TEXT,
    state TEXT,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    internal TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX resources_in_order ON resources (kind, parent, created, path);
CREATE INDEX resources_by_audience ON resources (kind, parent, audience, created, path);
CREATE INDEX resources_by_name ON resources (kind, name, created, path);
CREATE INDEX resources_by_state ON resources (kind, state, created, path);
CREATE INDEX resources_by_parent ON resources (parent);

-- Properties apart, so that property['k']='v' finds its rows by an index.
CREATE TABLE properties (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    created TEXT NOT NULL,
    path TEXT NOT NULL REFERENCES resources (path) ON DELETE CASCADE,
    PRIMARY KEY (kind, key, value, created, path)
) WITHOUT ROWID;
CREATE INDEX properties_by_path ON properties (path);

-- Sizes of collections kept as they change, so that count costs the same in a long collection as in a short one.
CREATE TABLE counts (
    kind TEXT NOT NULL,
    parent TEXT NOT NULL,
    audience TEXT NOT NULL,
    state TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (kind, parent, audience, state)
) WITHOUT ROWID;
CREATE TRIGGER count_insert AFTER INSERT ON resources BEGIN
    INSERT INTO counts VALUES (new.kind, new.parent, new.audience, coalesce(new.state, ''), 1)
    ON CONFLICT DO UPDATE SET size = size + 1;
END;
CREATE TRIGGER count_delete AFTER DELETE ON resources BEGIN
    UPDATE counts SET size = size - 1
    WHERE kind = old.kind AND parent = old.parent AND audience = old.audience AND state = coalesce(old.state, '');
END;
CREATE TRIGGER count_update AFTER UPDATE OF state, audience ON resources
WHEN old.state IS NOT new.state OR old.audience IS NOT new.audience BEGIN
    UPDATE counts SET size = size - 1
    WHERE kind = old.kind AND parent = old.parent AND audience = old.audience AND state = coalesce(old.state, '');
    INSERT INTO counts VALUES (new.kind, new.parent, new.audience, coalesce(new.state, ''), 1)
    ON CONFLICT DO UPDATE SET size = size + 1;
END;

-- What a job does and how far it has come. The Job itself is a resource.
CREATE TABLE plans (
    job TEXT PRIMARY KEY REFERENCES resources (path) ON DELETE CASCADE,
    plan TEXT NOT NULL,
    phase TEXT NOT NULL,
    position INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    outcome TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE job_log (
    line INTEGER PRIMARY KEY,
    job TEXT NOT NULL REFERENCES resources (path) ON DELETE CASCADE,
    time TEXT NOT NULL,
    level TEXT NOT NULL,
    step TEXT NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX job_log_of_job ON job_log (job, line);

-- Creates that were answered, so that a retry with the same key gets the same answer.
CREATE TABLE answered (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    resource TEXT NOT NULL,
    job TEXT NOT NULL,
    created TEXT NOT NULL,
    PRIMARY KEY (owner, key)
) WITHOUT ROWID;
