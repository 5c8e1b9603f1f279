"""Jobs: plans of steps that are run durably, under locks, and undone or taken up again."""
