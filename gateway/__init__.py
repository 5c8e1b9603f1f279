"""A CIMI gateway for libvirt hypervisors (DMTF DSP0263)."""
