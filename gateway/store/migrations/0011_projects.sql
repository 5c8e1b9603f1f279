-- A resource is in a project. Each owner of before becomes a project, whose id is the owner's name.
ALTER TABLE resources RENAME COLUMN owner TO project;

-- The ids of all projects that there ever were: what a project leaves goes to no later one.
CREATE TABLE project_ids (id TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO project_ids
SELECT DISTINCT project FROM resources WHERE project <> ''
UNION SELECT DISTINCT audience FROM events WHERE audience <> ''
UNION SELECT DISTINCT owner FROM answered WHERE owner <> '';
