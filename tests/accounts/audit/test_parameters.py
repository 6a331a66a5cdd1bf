"""Every route below /api/audit takes the query parameters of its document, and no other."""

from tests.accounts.audit.exports import ExportCase
from tests.contract.walk.operations import Operation, operations


class EveryRoute(ExportCase):
    """A parameter that a route does not know is told at its name: ignored, it would answer with what nobody asked."""

    def unknown(self, operation: Operation, name: str) -> list[str]:
        """Names in the answer to `name` that are no parameters."""
        address = operation.address().replace("{place}", "0/000.p/1")
        response = self.send(operation.method, f"{address}?{name}=1", operation.body, token=self.tokens[operation.name])
        errors = response.json().get("details", []) if "json" in response["Content-Type"] else []
        return [error["field"] for error in errors if error["code"] == "unknown"]

    def test_what_the_document_lists_is_known_and_nothing_else(self):
        audit = [one for one in operations() if one.path.startswith("/api/audit/")]
        auditor = self.auditor()
        self.tokens = {one.name: auditor if "/log/" in one.path else self.token for one in audit}
        self.assertEqual(len({one.name for one in audit}), 9)
        for operation in audit:
            with self.subTest(operation.name):
                self.assertEqual(self.unknown(operation, "from"), ["from"])
                self.assertEqual([name for name in operation.query if self.unknown(operation, name)], [])
