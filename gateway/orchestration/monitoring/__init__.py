"""Monitoring: event logs, the recorder that fills them, and the live feed (DSP0263 5.22)."""
