"""Snapshots of Machines, what is captured from their disks, and the way back (DSP0263 5.14.1, 5.14.7)."""
