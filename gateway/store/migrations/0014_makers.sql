-- Who made a resource: what a user has in all projects is bounded, too. Up to now the project was the user.
ALTER TABLE resources ADD COLUMN maker TEXT;
UPDATE resources SET maker = project WHERE kind <> 'Event';
