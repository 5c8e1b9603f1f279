"""Credentials and their templates (DSP0263 5.15)."""
