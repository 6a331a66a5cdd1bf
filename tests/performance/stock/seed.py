"""Fills the peer's database; run as `python -m tests.performance.stock.seed SESSIONS FILLER`, prints JSON."""

import json
import os
import sys
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.performance.stock.settings"
django.setup()

from django.db import connection  # noqa: E402
from rest_framework_simplejwt.tokens import RefreshToken  # noqa: E402

from tests.performance.statements import count_statements  # noqa: E402
from tests.performance.stock.models import Company, User  # noqa: E402


def a_user(number: int) -> User:
    """Unsaved person `number`, of saved company `number`."""
    company = Company(
        name=f"Lotus Traders {number}",
        email=f"office{number}@lotus.example.in",
        phone="+919812345678",
        gstin="27AAPFU0939F1ZV",
        pan="AAPFU0939F",
    )
    return User(
        username=f"person{number}", email=f"person{number}@lotus.example.in", first_name="Asha Rao", password="!",
        phone="+919812345678", role="ADMIN", company=company,
    )  # fmt: skip


def seed(*, sessions: int, filler: int) -> dict[str, Any]:
    """The same shape as `tests.performance.seed.seed`."""
    users = [a_user(number) for number in range(sessions + filler)]
    Company.objects.bulk_create([user.company for user in users])
    for user in users:
        user.company_id = user.company.pk
    User.objects.bulk_create(users)
    pairs = []
    for user in users[:sessions]:
        token = RefreshToken.for_user(user)
        pairs.append({"access": str(token.access_token), "refresh": str(token)})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return {
        "sessions": pairs,
        "statements": count_statements(
            me="/api/me/", refresh="/api/token/refresh/", member="refresh", pair=pairs.pop()
        ),
    }


if __name__ == "__main__":
    print(json.dumps(seed(sessions=int(sys.argv[1]), filler=int(sys.argv[2]))))
