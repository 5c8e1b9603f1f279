"""NetworkPorts: the link and the speed of interfaces."""
