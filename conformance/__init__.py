"""A judge of CIMI providers: it speaks HTTP to one, and knows the standard, and nothing of any provider's insides."""
