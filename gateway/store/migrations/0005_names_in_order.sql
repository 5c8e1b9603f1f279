-- The column is what listings are ordered and sought by; the name as it is written stands in the document.
UPDATE resources SET name = nfkd(name) WHERE name IS NOT NULL;
