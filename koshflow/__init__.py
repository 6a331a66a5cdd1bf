"""Composes the product: settings, URLs, schedule. Nothing imports this package."""

__version__ = "0.1.0"
