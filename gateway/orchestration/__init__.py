"""Orchestration: what the requests of clients mean for resources, hypervisors and Jobs, one folder for each family."""
