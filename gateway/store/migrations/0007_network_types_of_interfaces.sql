-- Interfaces show the networkType of their Network; those of older gateways learn it here.
UPDATE resources SET document = json_set(document, '$.networkType', (
    SELECT json_extract(network.document, '$.networkType') FROM resources AS network
    WHERE network.path = json_extract(resources.document, '$.network.href')))
WHERE kind = 'MachineNetworkInterface' AND EXISTS (
    SELECT 1 FROM resources AS network
    WHERE network.path = json_extract(resources.document, '$.network.href')
    AND json_extract(network.document, '$.networkType') IS NOT NULL);
