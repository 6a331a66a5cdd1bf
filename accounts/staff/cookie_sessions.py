"""Django's sessions in the database, whose table keeps a digest of each key: a stolen dump is no way into the admin."""

import hashlib
from typing import Any

from django.contrib.sessions.backends import db


def _stored(key: str) -> str:
    # 160 of its bits: the column is 40 characters wide. The key has 165 random bits, so that no salt is needed.
    return hashlib.sha256(key.encode()).hexdigest()[:40]


class SessionStore(db.SessionStore):
    """Named by the setting SESSION_ENGINE. `session_key` is the cookie's; what reaches the table is its digest."""

    def _get_session_from_db(self) -> Any:
        cookie, self._session_key = self._session_key, _stored(self._session_key or "")
        found = super()._get_session_from_db()  # type: ignore[misc]  # the stubs lack it
        self._session_key = cookie if found is not None else None
        return found

    def exists(self, session_key: str) -> bool:
        return super().exists(_stored(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row = super().create_model_instance(data)
        row.session_key = _stored(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            super().delete(_stored(key))
