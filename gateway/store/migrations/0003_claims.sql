-- What is given out once: a value in a scope, held by a resource and free again when that is gone.
CREATE TABLE claims (
    scope TEXT NOT NULL,
    value TEXT NOT NULL,
    holder TEXT NOT NULL REFERENCES resources (path) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    PRIMARY KEY (scope, value)
) WITHOUT ROWID;
CREATE INDEX claims_by_holder ON claims (holder);
