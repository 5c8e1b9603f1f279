-- Samples of meters: only ever appended, thinned out as they age, and removed from the old end. Each meter has a
-- number, so that a sample takes a few bytes; and for an Interval meter what has been measured since its interval began.
CREATE TABLE sample_series (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    meter TEXT NOT NULL UNIQUE REFERENCES resources (path) ON DELETE CASCADE,
    began INTEGER,
    total REAL NOT NULL DEFAULT 0,
    readings INTEGER NOT NULL DEFAULT 0
);
CREATE TRIGGER meter_insert AFTER INSERT ON resources WHEN new.kind = 'Meter' BEGIN
    INSERT INTO sample_series (meter) VALUES (new.path);
END;

-- Meters that are gone: their samples are removed some at a time, so that a delete costs nothing.
CREATE TABLE dead_series (number INTEGER PRIMARY KEY);
CREATE TRIGGER series_delete BEFORE DELETE ON resources WHEN old.kind = 'Meter' BEGIN
    INSERT INTO dead_series SELECT number FROM sample_series WHERE meter = old.path;
END;

-- Tier 0 is as measured; each further one is coarser and older. Times are milliseconds since 1970 and rise strictly
-- within a series. Positions of a tier have no gaps, so that the n-th sample is found without counting.
CREATE TABLE samples (
    series INTEGER NOT NULL,
    tier INTEGER NOT NULL,
    position INTEGER NOT NULL,
    time INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (series, tier, position)
) WITHOUT ROWID;
-- Every 64th sample leads to its neighbours by time: a whole index would double the store and what each sample costs.
CREATE INDEX samples_by_time ON samples (series, tier, time, position) WHERE position % 64 = 0;
