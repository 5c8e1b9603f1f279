"""Jobs as clients see and stop them (DSP0263 5.20)."""
