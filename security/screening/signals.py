"""The one signal others count findings by."""

from django.dispatch import Signal

# Sent for every request with a finding, before it goes on or is refused, with `finding` (Finding) and `action`
# ("observed" or "blocked"). Receivers run in the request's thread: they must be quick.
request_screened = Signal()
