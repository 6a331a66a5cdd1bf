"""The peer that the bench compares with: what the documentation of DRF and simplejwt leads to, and nothing more."""
