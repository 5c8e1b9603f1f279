"""A cautious reader of untrusted disk images; no other program looks at them before it."""
