"""How many people a company has."""

from typing import Any
from uuid import UUID

from accounts.identity.models import User
from security.selectors import CompanySelector


def _count(company: UUID) -> int:
    return User.objects.filter(company=company).count()


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


# Nobody moves from one company to another, and an erased person's row stays.
head_count = CompanySelector(
    "company_people", seconds=300, load=_count, is_answer=_is_count, models={User: lambda user: user.company_id}
)
