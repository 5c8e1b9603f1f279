"""Quotas: what each project has of what is bounded, counted with every change, and what the hosts can carry."""
