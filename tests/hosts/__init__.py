"""Hypervisor hosts beside this one, each in namespaces of its own on this machine, reached over qemu+tls."""
