"""What the limits announce. They decide; who counts it is theirs not to know."""

from django.dispatch import Signal

# `scope`, a tier's name, and `decision`, refused or slowed. Of each request that was not simply let through.
limit_reached = Signal()
