-- Secrets are sealed with a key that is not in here (gateway/store/sealing.py).
-- What a Machine's seed was made of is kept no longer than until that is made.
UPDATE resources SET internal = json_replace(
    json_remove(internal, '$.seed.user_data', '$.seed.password_hash'), '$.seed.environment', json('true')
) WHERE kind = 'Machine' AND state IS NOT 'CREATING' AND json_type(internal, '$.seed') = 'object';
UPDATE resources SET internal = sealed(path, internal) WHERE sealed(path, internal) <> internal;
UPDATE plans SET plan = sealed(job, plan);
UPDATE answered SET fingerprint = digested(fingerprint);
