"""Drivers for hypervisors, and what the gateway trusts to them: hostile bytes, image files, and files by URL."""
