"""Counts the SQL statements of one request, inside the process; BEGIN and COMMIT are not counted."""

from typing import Any

from django.db import connection
from django.test import Client


def count_statements(*, me: str, refresh: str, member: str, pair: dict[str, str]) -> dict[str, int]:
    """Statements of one GET of `me` and one POST to `refresh`, each after a first that warmed the process.

    `member` is the JSON name of the refresh token in request and answer. Uses the pair's refresh token up.
    """
    client, token = Client(), pair["refresh"]
    counts = {}
    for _ in range(2):
        with _Counter() as counter:
            response: Any = client.get(me, headers={"Authorization": f"Bearer {pair['access']}"})
        assert response.status_code == 200, response.content
        counts["me"] = counter.statements
        with _Counter() as counter:
            response = client.post(refresh, {member: token}, content_type="application/json")
        assert response.status_code == 200, response.content
        counts["refresh"], token = counter.statements, response.json()[member]
    return counts


class _Counter:
    """Context manager whose `statements` is the number of statements that went to the default connection."""

    def __enter__(self) -> "_Counter":
        self.statements = 0
        self._wrapper = connection.execute_wrapper(self._count)
        self._wrapper.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._wrapper.__exit__(*exc)

    def _count(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.statements += 1
        return execute(sql, params, many, context)
