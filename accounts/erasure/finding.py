"""Whom an operator names. Changes nothing."""

from uuid import UUID

from accounts.identity.models import Company, User
from accounts.identity.names import normalise_email


class ErasureRefused(Exception):  # noqa: N818 - the sentence that the operator reads
    """Why nothing was done, and what to do instead."""


def named(who: str) -> tuple[User | None, Company | None]:
    """The person whose e-mail address or pseudonym `who` is, or the company whose pseudonym. Raises ErasureRefused."""
    try:
        pseudonym = UUID(who)
    except ValueError:
        user = User.objects.filter(email=normalise_email(who)).first()
        if user is None:
            raise ErasureRefused(
                f"nobody has the address {who}; an erased person is found by their pseudonym, which the event "
                "subject.erased tells"
            ) from None
        return user, None
    user = User.objects.filter(subject=pseudonym).first()
    company = None if user else Company.objects.filter(subject=pseudonym).first()
    if user is None and company is None:
        raise ErasureRefused(f"{who} is the pseudonym of no person and no company")
    return user, company
