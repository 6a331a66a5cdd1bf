"""What the outbox announces: that a message waits, how a try ended, and that a message was given up."""

from django.dispatch import Signal

# Sent after the commit, once a message. A receiver that fails is logged and changes nothing. Delivery does not depend
# on it: a lost hint costs one tick of the schedule.
message_queued = Signal()

# `message`, `outcome`: sent, failed or dead. After each try; a receiver that fails is logged and changes nothing.
delivery_tried = Signal()

# `message`: in the transaction in which it is given up, so that a receiver may queue another in its place. What a
# receiver raises undoes both, and the message is tried once more when its lease has run out.
message_given_up = Signal()
