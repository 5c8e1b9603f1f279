"""Addresses: reserved, named, and used by interfaces."""
