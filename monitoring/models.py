"""Monitoring keeps no rows of its own yet."""
