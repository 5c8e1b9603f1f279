"""The store: resources, events, samples and Jobs' plans in an SQLite file."""
