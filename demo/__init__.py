"""Demo: a private gateway with real guests, which leaves nothing behind."""
