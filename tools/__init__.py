"""Programs for who works on the gateway; none of them is installed."""
