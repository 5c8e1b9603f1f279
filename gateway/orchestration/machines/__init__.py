"""Machines: what create, start, stop, edit and delete mean, and the steps that do it (DSP0263 5.14)."""
