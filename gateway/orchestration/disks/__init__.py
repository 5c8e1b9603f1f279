"""The disks of Machines: made with a Machine or plugged in later, grown, and taken out (DSP0263 5.14.1.4)."""
