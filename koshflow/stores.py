"""What is said of a database or key ring that is away, not prepared or not readable. It opens neither."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError, OperationalError

from koshflow.refusal import Refusal
from security.crypto.keyring import KeyRingInvalid

# What a table or column that is not there yet is called: by SQLite in words, by PostgreSQL as a class of psycopg's.
_MISSING_WORDS = ("no such table", "no such column", "has no column named")
# SQLite's of a file that lost some of its pages, and of one that is no database any more.
_DAMAGED_WORDS = ("malformed", "file is not a database")
_MISSING_CLASSES = ("UndefinedTable", "UndefinedColumn")


@contextmanager
def stores_in_words() -> Iterator[None]:
    """Turn a database or key ring that is away, unprepared or unreadable inside the block into a Refusal.

    A row that the database will not take passes as it is: that is a fault of ours, and needs its traceback.
    """
    try:
        yield
    except KeyRingInvalid as error:
        raise Refusal(f"{error}; put the ring back from your copy, or correct KEYRING.") from error
    except (IntegrityError, DataError):
        raise
    except DatabaseError as error:
        raise Refusal(_about(error)) from error


def _about(error: DatabaseError) -> str:
    # The driver's first line names host and cause; the URL, which holds the password, is never shown.
    cause = str(error).partition("\n")[0]
    if any(words in cause for words in _DAMAGED_WORDS):
        file = settings.DATABASES["default"]["NAME"]
        return f"the database {file} is damaged ({cause}); put your copy of it back, or move it away to begin anew."
    if type(error.__cause__).__name__ in _MISSING_CLASSES or any(words in cause for words in _MISSING_WORDS):
        return f"the database is not prepared for this release ({cause}); run `make run`, or `manage.py migrate`."
    if isinstance(error, OperationalError):
        return f"the database does not answer ({cause}); start it, or correct DATABASE_URL."
    return f"the database refuses ({cause}); see `manage.py migrate`."
