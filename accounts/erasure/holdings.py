"""What is kept of a person or a company, table by table; nothing personal may be kept that is not named here.

The row itself (name, address, phone) is blanked by `blanking.py`. Audit events stay: they name a pseudonym.
"""

import json

from django.db.models import QuerySet

from accounts.identity.models import User
from accounts.identity.names import normalise_email
from accounts.passwords.models import PasswordReset
from accounts.twofactor.models import Challenge, RecoveryCode, TotpDevice
from security.audit import AuditPii, UnidentifiedSubject
from security.crypto import KeyDestroyed, SubjectKey
from security.outbox import OutboxMessage

VALUES_IN_AUDIT = "values in the audit log"


def rows_of_person(user: User) -> dict[str, QuerySet]:
    """Rows that go with `user`, under the words in which an operator reads of them."""
    return {
        "second factors": TotpDevice.objects.filter(user=user),
        "recovery codes": RecoveryCode.objects.filter(user=user),
        "sign-ins under way": Challenge.objects.filter(user=user),
        "password resets": PasswordReset.objects.filter(user=user),
        "queued messages": messages_of(user.subject) | messages_naming(user.email),
        VALUES_IN_AUDIT: values_in_audit(user.subject),
    }


def rows_of_company(subject: SubjectKey) -> dict[str, QuerySet]:
    """Rows that go with the company of `subject`, its people apart."""
    return {"queued messages": messages_of(subject), VALUES_IN_AUDIT: values_in_audit(subject)}


def messages_of(subject: SubjectKey) -> QuerySet[OutboxMessage]:
    """Messages sealed under `subject`: those that were sent hold nothing any more, and go too."""
    return OutboxMessage.objects.filter(subject=subject)


def messages_naming(email: str) -> QuerySet[OutboxMessage]:
    """Queued requests about `email` that nobody has looked up yet, sealed under the key of their month."""
    months = UnidentifiedSubject.objects.values("subject")
    waiting = OutboxMessage.objects.filter(subject__in=months, payload__isnull=False).select_related("subject")
    return OutboxMessage.objects.filter(pk__in=[message.pk for message in waiting if _names(message, email)])


def values_in_audit(subject: SubjectKey) -> QuerySet[AuditPii]:
    """Values that events keep of `subject`: under their own key, or about them under the key of who acted.

    The address of an event is the one of who acted, and theirs to lose.
    """
    own = AuditPii.objects.filter(subject=subject.pk)
    return own | AuditPii.objects.filter(event__target=subject.pk).exclude(field="address")


def _names(message: OutboxMessage, email: str) -> bool:
    try:
        payload = json.loads(message.payload or "{}")
    except KeyDestroyed:
        return False
    return normalise_email(str(payload.get("email", ""))) == email
