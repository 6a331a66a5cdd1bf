"""The refusal of a request that another site's page made a browser send."""

import logging

from django.http import HttpRequest, HttpResponse

from security.audit import Action, record_refusal, windows
from security.context import current
from security.errors import CsrfFailed
from security.errors.documents import problem_response

logger = logging.getLogger("security.forgery")


def refuse_forgery(request: HttpRequest, *, told_by: str) -> HttpResponse:
    """403 CSRF_FAILED, marked by one event a client and minute; `told_by` is what gave it away.

    Raises django.db.DatabaseError where it cannot be marked.
    """
    repeats = windows.repeats_to_tell(current().client.address, "CSRF_FAILED")
    if repeats is not None:
        record_refusal(Action.REQUEST_FORGERY_REFUSED, data={"told_by": told_by, "repeats": repeats})
    return problem_response(CsrfFailed(), request)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's `CSRF_FAILURE_VIEW`: a form without the token of its page.

    In place of Django's own line, which has the path in it, and behind a dash whatever Origin or Referer said.
    """
    logger.warning("form_refused", extra={"reason": reason.partition(" - ")[0]})
    return refuse_forgery(request, told_by="form_token")
