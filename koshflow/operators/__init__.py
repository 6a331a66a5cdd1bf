"""Pages of the admin about the product at work, for whoever operates it. They show numbers and no people.

They stand here because they need both: the door and rights of `accounts`, and what `monitoring` measured. Importing
this registers them.
"""

from koshflow.operators.alerts import AlertsAdmin
from koshflow.operators.dashboard import DashboardAdmin
from koshflow.operators.errors import ErrorGroupAdmin
from koshflow.operators.reviews import ReviewsAdmin
from koshflow.operators.schedule import ScheduleAdmin
from koshflow.operators.statements import StatementsAdmin

__all__ = ["AlertsAdmin", "DashboardAdmin", "ErrorGroupAdmin", "ReviewsAdmin", "ScheduleAdmin", "StatementsAdmin"]
