"""The one signal others count audit events by. Receivers run after the commit and cannot undo the act."""

from django.dispatch import Signal

# Sent once an event is committed, with `event` (AuditEvent). A receiver that fails is logged, no more.
event_recorded = Signal()
