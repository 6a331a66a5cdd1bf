"""The schedule made visible: when each of its functions last ran, how that ended, and which is overdue.

The table of functions and the clock are `koshflow`'s; here is what they tell.
"""

from monitoring.schedule.models import ScheduleRun
from monitoring.schedule.services import Slot, expect, is_overdue, note_run, overdue

__all__ = ["ScheduleRun", "Slot", "expect", "is_overdue", "note_run", "overdue"]
