"""Who has an e-mail address, for commands that an operator gives one."""

from accounts.identity.models import User
from accounts.identity.names import normalise_email


class PersonUnknown(Exception):  # noqa: N818 - named for what happened
    """Nobody has this e-mail address; the sentence says where else to look."""


def find_person(email: str) -> User:
    """The person with this e-mail address. Raises PersonUnknown."""
    user = User.objects.filter(email=normalise_email(email)).first()
    if user is None:
        raise PersonUnknown(
            f"nobody has the address {email}; look for the person under Users in the admin, by a part of their name"
        )
    return user
