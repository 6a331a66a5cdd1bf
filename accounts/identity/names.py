"""How long a person's name may be, and the one form of an e-mail address that we store, compare and count by."""

import unicodedata

MAX_EMAIL_LENGTH = 254
MAX_NAME_LENGTH = 50


def normalise_email(email: str) -> str:
    """`email` trimmed, in NFC and without case: two spellings of one mailbox are one person (RFC 5321 §2.4)."""
    mailbox, at, domain = unicodedata.normalize("NFC", email.strip()).rpartition("@")
    # Case folding makes `straße.de` another domain, `strasse.de`, whose owner would get this person's mails.
    return f"{mailbox.casefold()}{at}{domain.lower()}"
