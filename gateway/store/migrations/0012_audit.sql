-- The audit log, apart from the events: who asked for what, from where, and what came of it. It is only appended to, and
-- removed from its old end. What strangers cause is an end of its own, so that it pushes nothing of users' out.
CREATE TABLE audit (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    stranger INTEGER NOT NULL,
    entry TEXT NOT NULL
);
CREATE INDEX audit_in_order ON audit (stranger, position);
CREATE TABLE audit_sizes (stranger INTEGER PRIMARY KEY, size INTEGER NOT NULL);
INSERT INTO audit_sizes VALUES (0, 0), (1, 0);
CREATE TRIGGER audit_insert AFTER INSERT ON audit BEGIN
    UPDATE audit_sizes SET size = size + 1 WHERE stranger = new.stranger;
END;
CREATE TRIGGER audit_delete AFTER DELETE ON audit BEGIN
    UPDATE audit_sizes SET size = size - 1 WHERE stranger = old.stranger;
END;
CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit BEGIN
    SELECT raise(ABORT, 'the audit log is only appended to');
END;
CREATE TRIGGER audit_has_no_holes BEFORE DELETE ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE stranger = old.stranger AND position < old.position) BEGIN
    SELECT raise(ABORT, 'the audit log is removed from its old end only');
END;
