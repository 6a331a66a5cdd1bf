"""The hint that a message waits.

Delivery does not depend on it: a lost hint costs one tick of the schedule.
"""

from django.dispatch import Signal

# Sent after the commit, once a message. A receiver that fails is logged and changes nothing.
message_queued = Signal()
