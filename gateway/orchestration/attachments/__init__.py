"""The connections of Volumes to Machines (DSP0263 5.14.1.5)."""
