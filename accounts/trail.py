"""Which tables of people and their sign-ins the database watches, and what of them the audit log may show.

Never a name, an address, a number or a secret: of those only that they changed.
"""

from collections.abc import Set
from uuid import UUID

from accounts.identity.models import Company, User
from security.trail import Audited

_USER, _COMPANY = "accounts_user", "accounts_company"
_OF_A_PERSON = {"user_id": _USER}

AUDITED = (
    Audited(
        table=_USER,
        values=(
            "role",
            "is_active",
            "is_staff",
            "is_superuser",
            "token_version",
            "password_changed_at",
            "created_at",
        ),
        changed=("name", "email", "phone", "password"),
        people={"company_id": _COMPANY},
        quiet={"last_login": "Written at each sign-in, which is an event."},
        row="subject_id",
    ),
    Audited(
        table=_COMPANY,
        values=("created_at",),
        changed=("name", "email", "phone", "gstin", "pan"),
        quiet={"gstin_index": "keys_rotate makes every index anew, and is an event."},
        row="subject_id",
    ),
    Audited(
        table="accounts_session",
        values=("created_at", "absolute_until", "auth_time", "token_version", "revoked_at", "end_reason", "amr"),
        changed=("client_family",),
        quiet={
            **dict.fromkeys(("counter", "rotated_at", "idle_until"), "Written at each refresh, which is an event."),
            "address": "Written when the network changes, which is an event.",
            "client_label": "A name for people; what binds a session is its family.",
        },
        people=_OF_A_PERSON,
        subject="user_id",
        over="OLD.revoked_at IS NOT NULL OR OLD.idle_until < NOW OR OLD.absolute_until < NOW",
    ),
    Audited(
        table="accounts_passwordreset",
        values=("created_at", "expires_at", "used_at"),
        changed=("token_hash",),
        quiet={"asker": "By whom it was asked for, which bounds mails and admits nobody."},
        people=_OF_A_PERSON,
        subject="user_id",
        over="OLD.used_at IS NOT NULL OR OLD.expires_at < NOW",
    ),
    Audited(
        table="accounts_totpdevice",
        values=("confirmed", "confirmed_at", "created_at"),
        changed=("secret", "name"),
        quiet=dict.fromkeys(
            ("last_step", "guesses", "guesses_until"), "Written at each try of a code; what it leads to is an event."
        ),
        people=_OF_A_PERSON,
        subject="user_id",
    ),
    Audited(
        table="accounts_recoverycode",
        values=("used_at",),
        changed=("code_hash",),
        people=_OF_A_PERSON,
        subject="user_id",
    ),
    Audited(table="accounts_user_groups", values=("group_id",), people=_OF_A_PERSON, subject="user_id"),
    Audited(
        table="accounts_user_user_permissions",
        values=("permission_id",),
        people=_OF_A_PERSON,
        subject="user_id",
    ),
    Audited(table="auth_group", values=("name",)),
    Audited(table="auth_group_permissions", values=("group_id", "permission_id")),
    Audited(
        table="accounts_legalhold",
        values=("subject_id", "basis", "until", "reason", "placed_by", "placed_at", "lifted_at"),
        subject="subject_id",
    ),
    Audited(
        table="accounts_withheld",
        values=("subject_id", "until", "erased_at"),
        changed=("identity",),
        row="subject_id",
    ),
)

NOT_AUDITED = {
    "accounts_challenge": "Lives for minutes between two factors; what it leads to is an event.",
    "accounts_auditexport": "A recipe: making one, and each download, is an event.",
}


def companies_of(subjects: Set[UUID]) -> dict[UUID, UUID]:
    """Pseudonym of a person or of a company → that of the company."""
    people = User.objects.filter(subject__in=subjects, company__isnull=False)
    companies = Company.objects.filter(subject__in=subjects).values_list("subject_id", flat=True)
    return dict(people.values_list("subject_id", "company__subject_id")) | {who: who for who in companies}
