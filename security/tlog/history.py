"""Keeps when the log was verified and what was found, for pages and health. It proves nothing: who owns the database
owns these rows too. What proves is a verification by whoever asks.
"""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from security.tlog.findings import Report
from security.tlog.models import AuditVerification
from security.tlog.verification import verify_log

logger = logging.getLogger("security.tlog")

MOST_KEPT = 1_000
# A nightly run looks at what is new; what was proved long ago can be changed too.
# Seven nights, less half a day: a row says when its run ended, and is some minutes short of a week in the seventh.
WHOLE_EVERY = timedelta(days=6, hours=12)


def keep_verification(report: Report) -> AuditVerification | None:
    """Store what a verification found, and forget those beyond the newest 1,000. Raises DatabaseError.

    One that found nothing and began after what was proved before is not kept (None): the newest row tells of the whole
    log, and must not be good because a part of it is.
    """
    with transaction.atomic():
        last = last_verification()
        proved_to = last.proved_to if last else 0
        if report.faults:
            proved_to = min(proved_to, report.since)
        elif report.since > proved_to:
            return None
        elif not report.not_verified:
            proved_to = report.size
        told = report.as_json()
        kept = AuditVerification.objects.create(
            since=report.since,
            size=report.size,
            proved_to=proved_to,
            faults=told["faults"],
            not_verified=told["notVerified"],
        )
        AuditVerification.objects.filter(pk__lte=kept.pk - MOST_KEPT).delete()
    return kept


def last_verification() -> AuditVerification | None:
    """The newest run of all."""
    return AuditVerification.objects.order_by("-pk").first()


def verification_of(index: int) -> AuditVerification | None:
    """The newest run that looked at the event of this place; where none did, the newest of all."""
    looked = Q(since__lte=index, size__gt=index)
    return AuditVerification.objects.alias(has_looked=looked).order_by("-has_looked", "-pk").first()


def verify_on_schedule() -> None:
    """Verify what was not proved yet, and once a week everything; keep it, and log what is wrong."""
    last = last_verification()
    weekly = AuditVerification.objects.filter(since=0, at__gt=timezone.now() - WHOLE_EVERY).exists()
    report = verify_log(since=last.proved_to if last and weekly else 0)
    keep_verification(report)
    for fault in report.faults:
        logger.error("audit_log_changed", extra={"kind": fault.kind.value, "index": fault.index, "what": fault.what})
