"""Users, projects, their members, and tokens."""
