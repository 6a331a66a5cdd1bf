"""Fills the product's database; run as `python -m tests.performance.seed SESSIONS FILLER`, prints JSON.

`python -m tests.performance.seed rehash` gives everybody's password a hash of the cost that is now set.
"""

import json
import os
import sys
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koshflow.settings")
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.identity.models import Company, User, gstin_index  # noqa: E402
from accounts.sessions.models import Session  # noqa: E402
from accounts.sessions.services import open_session, tokens_of  # noqa: E402
from security.context import Client, RequestContext, bind  # noqa: E402
from security.crypto import SubjectKey  # noqa: E402
from security.rbac import Role  # noqa: E402
from tests.accounts.identity.examples import a_gstin, a_pan, a_phone  # noqa: E402
from tests.performance.statements import count_statements  # noqa: E402

# Bound on the server, one statement takes at most 65,535 values.
BATCH = 1000
PASSWORD = "Monsoon-Ledger-47"
HERE = RequestContext("0" * 32, Client("127.0.0.1", "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"))


def a_user(number: int, *, password_hash: str) -> User:
    """Unsaved administrator `number` of an unsaved company of their own; all sealed fields are filled."""
    pan = a_pan(number)
    gstin = a_gstin(number, pan=pan)
    company = Company(
        subject=SubjectKey.objects.build(),
        name=f"Lotus Traders {number}",
        email=f"office{number}@lotus.example.in",
        phone=a_phone(number),
        gstin=gstin,
        gstin_index=gstin_index(gstin),
        pan=pan,
    )
    return User(
        subject=SubjectKey.objects.build(),
        company=company,
        email=f"person{number}@lotus.example.in",
        name="Asha Rao",
        role=Role.ADMIN,
        phone=a_phone(number),
        last_login=timezone.now(),
        password=password_hash,
    )


def seed(*, sessions: int, filler: int) -> dict[str, Any]:
    """Token pairs of `sessions` people, who may also sign in, among `filler` others with a session each."""
    # One hash for all: a hundred of them at cost 14 would take two minutes.
    password_hash = make_password(PASSWORD)
    users = [a_user(number, password_hash=password_hash) for number in range(sessions + filler)]
    SubjectKey.objects.bulk_create([user.company.subject for user in users if user.company], batch_size=BATCH)
    SubjectKey.objects.bulk_create([user.subject for user in users], batch_size=BATCH)
    Company.objects.bulk_create([user.company for user in users if user.company], batch_size=BATCH)
    User.objects.bulk_create(users, batch_size=BATCH)
    with transaction.atomic(), bind(HERE):
        opened = [open_session(user=user, amr="pwd") for user in users[:sessions]]
    _open_plainly(users[sessions:], like=opened[0])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    pairs = [{"access": pair.access, "refresh": pair.refresh} for pair in map(tokens_of, opened)]
    return {
        "sessions": pairs,
        "logins": [{"email": user.email, "password": PASSWORD} for user in users[: sessions - 1]],
        "statements": count_statements(
            me="/api/auth/me", refresh="/api/auth/refresh", member="refreshToken", pair=pairs.pop()
        ),
    }


def _open_plainly(users: list[User], *, like: Session) -> None:
    copied = (
        "created_at",
        "rotated_at",
        "auth_time",
        "idle_until",
        "absolute_until",
        "amr",
        "token_version",
        "client_label",
    )
    values = {name: getattr(like, name) for name in copied}
    Session.objects.bulk_create([Session(user=user, **values) for user in users], batch_size=BATCH)


if __name__ == "__main__":
    if sys.argv[1] == "rehash":
        User.objects.update(password=make_password(PASSWORD))
        sys.exit()
    print(json.dumps(seed(sessions=int(sys.argv[1]), filler=int(sys.argv[2]))))
