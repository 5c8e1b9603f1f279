"""The standard as declarations (DMTF DSP0263): types, both formats, filters, and nothing else."""
