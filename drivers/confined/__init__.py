"""Hostile bytes read in processes of their own, which have little time and memory and open nothing."""
