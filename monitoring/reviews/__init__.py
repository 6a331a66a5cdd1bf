"""The weekly review of performance: how long routes take against the weeks before."""
