"""The checks, by family: a function for each entry of the catalogue."""
