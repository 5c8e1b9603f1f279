"""ForwardingGroups: Networks that reach one another."""
