"""Systems: whole graphs of resources made, moved and removed as one."""
