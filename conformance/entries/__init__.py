"""The catalogue's files, one for each family."""
