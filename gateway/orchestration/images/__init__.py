"""MachineImages: where their bytes come from, and how they reach a pool (DSP0263 5.14.7)."""
