"""Public facts where programs look for them (RFC 8615): keys, whom to tell of a weakness, where to turn."""
