"""Backups of the gateway's own state: store, keys, users and configuration in one file, and back."""
