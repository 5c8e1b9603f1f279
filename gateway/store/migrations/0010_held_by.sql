-- Which Job holds a resource is a column, and no longer one of its facts.
ALTER TABLE resources ADD COLUMN held_by TEXT;
UPDATE resources SET held_by = json_extract(internal, '$.job'), internal = json_remove(internal, '$.job')
WHERE json_extract(internal, '$.job') IS NOT NULL;
