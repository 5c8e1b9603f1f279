"""The network interfaces of Machines, and the addresses that their guests have (DSP0263 5.14.1.6, 5.19)."""
