"""The driver for libvirt: the only part of the program that imports it."""
