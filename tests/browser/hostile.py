"""Rows whose every free text is an attack on the page that shows it. Runs in a process on the product's own data.

The API takes most of this apart before it is stored. Here it is written past the API, as a fault of tomorrow, an older
version or a hand in the database would leave it: pages must escape whatever the rows hold.
"""

from contextlib import suppress
from datetime import timedelta
from time import sleep
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib import admin
from django.db import models, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

import koshflow.operators  # noqa: F401 - registers pages of the admin
from accounts.identity.models import User
from accounts.login.services import log_in
from accounts.sessions.models import Session
from koshflow.demo_history import record_failure
from monitoring.alerts import silence
from monitoring.database import flush
from security.audit import Action, AuditEvent, record
from security.context import Client, RequestContext, bind
from security.crypto import EncryptedTextField
from security.errors import AccountLocked, InvalidCredentials
from security.posture import run_audit
from security.tlog import seal_on_schedule

# Every payload breaks out of an attribute, and makes an element of this name and a request for this path if it can.
MARK = "kf-xss"
SHORTEST = f"\"'><{MARK}>"
PAYLOADS = (
    f"{SHORTEST}</script></title><img src=/{MARK} onerror=alert(1)><script src=/{MARK}></script>",
    f"{SHORTEST}<script src=/{MARK}></script>",
    f"{SHORTEST}<img src=/{MARK}>",
    SHORTEST,
)
MORE_THAN_A_PAGE = 60


def payload(longest: int | None) -> str:
    """The worst of the payloads that is no longer than this."""
    return next(text for text in PAYLOADS if longest is None or len(text) <= longest)


def make_hostile() -> dict[str, str]:
    """Make the newest row of each model that the admin shows an attack, and lock its person; the rows' primary keys by
    the model's label, in lower case. Raises AssertionError for a model that has no row yet.

    What has no page of its own is left alone: the locks are rows of digests, which would lock nobody then.
    """
    _make_runs()
    _make_silence()
    record_failure(timezone.now())
    flush()  # what this process ran: a statement of its own to be poisoned
    made = {}
    for model, page in admin.site._registry.items():
        if model is AuditEvent or not any(route.name.endswith("_change") for route in page.get_urls()):
            continue
        row = model._default_manager.order_by(*(page.ordering or model._meta.ordering)).first()
        assert row is not None, f"make a row of {model._meta.label} for the browser to see"
        for field in model._meta.concrete_fields:
            _poison(row, field)
        row.save()
        made[model._meta.label_lower] = str(row.pk)
    made[AuditEvent._meta.label_lower] = str(_tell_of_an_attack())
    _make_older_sessions(Session.objects.get(pk=made["accounts.session"]))
    _have_locked(User.objects.get(pk=made["accounts.user"]).email)
    return made


def _poison(row: models.Model, field: Any) -> None:
    if isinstance(field, models.JSONField):
        setattr(row, field.name, _in_every_leaf(getattr(row, field.name)))
        return
    is_text = isinstance(field, models.CharField | models.TextField | EncryptedTextField)
    # Words of a closed list are the code's, and the hash of a password stands on no page.
    has_room = field.max_length is None or field.max_length >= len(SHORTEST)
    if is_text and has_room and not field.choices and field.name != "password":
        setattr(row, field.name, payload(field.max_length))


def _in_every_leaf(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: leaf if name == "severity" else _in_every_leaf(leaf) for name, leaf in value.items()}
    if isinstance(value, list):
        return [_in_every_leaf(leaf) for leaf in value]
    return payload(None)


def _make_runs() -> None:
    """An honest run of the security audit, and a newer one that also tells of a rule without an answer."""
    run = run_audit()
    run.pk = uuid7()
    run.troubles = [{"id": "KF.0", "title": "A rule", "reason": "it had no answer"}]
    run.save(force_insert=True)


def _make_silence() -> None:
    # By the service: a row that was planted is believed by nobody, and so shown to nobody.
    silence(author="invented", reason="INVENTED-1", until=timezone.now() + timedelta(hours=1), rule="long_query")


def _tell_of_an_attack() -> int:
    """An event that is an attack in all that it says, sealed: what is recorded once is never changed. Its row's id."""
    attack = {"table": payload(None), "op": payload(None), "id": payload(None)}
    changes = [{**attack, "before": {"name": payload(None)}, "after": {"name": SHORTEST}}]
    client = Client(address="192.0.2.66", user_agent=payload(None))
    with bind(RequestContext(request_id=payload(128), client=client)), transaction.atomic():
        event = record(
            Action.PROFILE_UPDATED,
            actor=User.objects.filter(company__isnull=False).latest("pk").subject,
            session_id=payload(64),
            data={"name": payload(None), "changes": changes},
            pii={"name": payload(None)},
        )
    while AuditEvent.objects.filter(pk=event.pk, tree_index=None).exists():
        seal_on_schedule()  # does nothing while the server is at it
        sleep(0.1)
    return event.pk


def _have_locked(email: str) -> None:
    """Guess at this person's password until nobody may guess any more."""
    client = Client(address="192.0.2.66", user_agent=payload(None))
    with bind(RequestContext(request_id=uuid4().hex, client=client)):
        for _ in range(settings.LOCKOUT_LIMIT + 1):
            with suppress(InvalidCredentials, AccountLocked):
                log_in(email=email, password="Monsoon-Ledger-48")


def _make_older_sessions(session: Session) -> None:
    """So many that the list has a second page, and older ones, so that the first still shows `session`."""
    older = []
    for number in range(MORE_THAN_A_PAGE):
        fields = {f.name: getattr(session, f.name) for f in Session._meta.concrete_fields if not f.primary_key}
        older.append(Session(**fields | {"created_at": session.created_at - timedelta(minutes=number + 1)}))
    Session.objects.bulk_create(older)
