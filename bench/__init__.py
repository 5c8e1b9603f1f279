"""Ratios against baselines measured in the same run; never a bound in seconds of wall time."""
