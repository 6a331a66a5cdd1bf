"""Which new passwords are accepted. Does not hash them, nor store what was refused."""

import logging
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from accounts.passwords.breached import BreachedFileInvalid, is_breached
from accounts.passwords.commonness import is_common
from accounts.passwords.policy import POLICIES, is_built_from, unusable

__all__ = ["check_password_policy"]

logger = logging.getLogger("accounts.passwords")

_PRODUCT = "koshflow"


def check_password_policy(password: str, *, words: Sequence[str], has_second_factor: bool) -> list[str]:
    """Sentences that say what is wrong with `password` as a new one, the plainest first; empty if nothing is.

    `words` are the person's own: names, e-mail, company, phone. The policy is `settings.PASSWORD_POLICY`.
    """
    wrong = unusable(password)
    if wrong:
        return wrong
    wrong = POLICIES[settings.PASSWORD_POLICY](password, has_second_factor=has_second_factor)
    if is_built_from(password, (*words, _PRODUCT), is_common=is_common):
        wrong.append("Use a password that is not built from your name, your e-mail or your company's name.")
    if is_common(password):
        wrong.append("Use a password that is less common.")
    elif _is_breached(password):
        wrong.append("Use another password; this one is known from a data breach elsewhere.")
    return wrong


def _is_breached(password: str) -> bool:
    if not settings.BREACHED_PASSWORDS_FILE:
        return False
    try:
        return is_breached(password, Path(settings.BREACHED_PASSWORDS_FILE))
    except (OSError, BreachedFileInvalid):
        # Open: an unreadable file must not stop people from changing a password; the common list still holds.
        logger.exception("breached_passwords_unreadable")
        return False
