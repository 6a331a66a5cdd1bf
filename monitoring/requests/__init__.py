"""Each request on the clock: one observation, one line."""
