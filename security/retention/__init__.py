"""Retention: how long each class of events is kept, and how what is older leaves the database and stays provable."""

from security.retention.archive import ArchiveWrong
from security.retention.plans import (
    LogHold,
    Plan,
    approve_plan,
    check_no_log_hold,
    check_open,
    find_plan,
    lift_log_hold,
    log_holds,
    open_plans,
    place_log_hold,
    propose_plan,
)
from security.retention.policy import RetentionRefused, kept_days
from security.retention.pruning import Done, Surveyed, check_archive, run_plan, survey

__all__ = [
    "ArchiveWrong",
    "Done",
    "LogHold",
    "Plan",
    "RetentionRefused",
    "Surveyed",
    "approve_plan",
    "check_archive",
    "check_no_log_hold",
    "check_open",
    "find_plan",
    "kept_days",
    "lift_log_hold",
    "log_holds",
    "open_plans",
    "place_log_hold",
    "propose_plan",
    "run_plan",
    "survey",
]
