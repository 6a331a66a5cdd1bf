"""What browsers report about our pages' Content-Security-Policy: read, bounded, logged and announced; never stored."""

from security.csp_reports.services import violation_reported

__all__ = ["violation_reported"]
