"""Volumes: what create, grow, attach and delete mean, and the steps that do it (DSP0263 5.16)."""
