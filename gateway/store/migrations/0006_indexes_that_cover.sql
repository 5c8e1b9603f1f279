-- What a count and a check of the audience need stands in the index itself.
DROP INDEX resources_by_name;
DROP INDEX resources_by_state;
CREATE INDEX resources_by_name ON resources (kind, name, created, path, parent, audience);
CREATE INDEX resources_by_state ON resources (kind, state, created, path, parent, audience);
