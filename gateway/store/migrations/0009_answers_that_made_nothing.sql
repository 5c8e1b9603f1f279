-- A create that found what it asked for has made nothing, and says so again when it is repeated.
ALTER TABLE answered ADD COLUMN existing INTEGER NOT NULL DEFAULT 0;
-- Up to now only a Volume that was connected already was found, by a Job that changed nothing.
UPDATE answered SET existing = 1
WHERE EXISTS (SELECT 1 FROM resources AS made WHERE made.path = answered.resource AND made.kind = 'MachineVolume')
AND EXISTS (
    SELECT 1 FROM resources AS job WHERE job.path = answered.job AND NOT EXISTS (
        SELECT 1 FROM json_each(job.document, '$.affectedResources') AS changed
        WHERE json_extract(changed.value, '$.href') = answered.resource));
