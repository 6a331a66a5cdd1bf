"""What the row of somebody erased says, and makes it say so. What hangs on a row is in `holdings.py`."""

from typing import Any

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, make_password
from django.db.models import QuerySet

from accounts.identity.models import Company, User


def telling(row: User | Company) -> QuerySet[Any]:
    """`row` as long as a column of it tells of whose it was, or admits them; then nothing."""
    if isinstance(row, Company):
        return Company.objects.filter(pk=row.pk).exclude(**_blanks(row))
    blank_row = {**_blanks(row), "password__startswith": UNUSABLE_PASSWORD_PREFIX}
    return User.objects.filter(pk=row.pk).exclude(**blank_row)


def blank(row: User | Company) -> int:
    """Blank the columns of `row`, also those that something wrote again since; whether (1) any said anything."""
    password = {"password": make_password(None)} if isinstance(row, User) else {}
    return telling(row).update(**_blanks(row), **password)


def _blanks(row: User | Company) -> dict[str, Any]:
    # An address that nobody can have or be sent mail to, and that no two share (RFC 2606 section 2).
    columns: dict[str, Any] = {"email": f"erased-{row.subject_id.hex}@erased.invalid", "phone": None}
    if isinstance(row, Company):
        return {**columns, "name": "Erased company", "gstin": None, "pan": None, "gstin_index": None}
    columns |= {"is_active": False, "is_superuser": False, "last_login": None, "password_changed_at": None}
    return {**columns, "name": "Erased person"}
