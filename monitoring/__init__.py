"""Watches the product: health, metrics, logs. It knows `security`, and nobody but `koshflow` knows it."""
