"""The operations of the OpenAPI document, each with a body that it takes and the names of all that it reads."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from drf_spectacular.generators import SchemaGenerator

from koshflow.openapi.examples import EXAMPLES, MORE_EXAMPLES

AN_ID = "0190a5c2-7b1e-7cc1-8a55-0d9f4a6c2f11"


@dataclass(frozen=True)
class Operation:
    """One way to call one operation. `body` is its example, or None; `members` and `query` every name it takes."""

    name: str
    method: str
    path: str
    members: tuple[str, ...]
    query: tuple[str, ...]
    is_open: bool
    body: dict[str, Any] | None = None

    def address(self, an_id: str = AN_ID) -> str:
        return self.path.replace("{id}", quote(an_id, safe=""))


def operations() -> list[Operation]:
    """Every operation of the OpenAPI document; one that takes several kinds of body stands once for each."""
    document = SchemaGenerator().get_schema(request=None, public=True)
    found: list[Operation] = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            name = operation["operationId"]
            named = [(one["in"], one["name"]) for one in operation.get("parameters", [])]
            assert {place for place, _ in named} <= {"path", "query"}, name
            assert path.count("{") == sum(place == "path" for place, _ in named) <= 1, path
            plain = Operation(
                name=name,
                method=method,
                path=path,
                members=(),
                query=tuple(parameter for place, parameter in named if place == "query"),
                is_open="security" not in operation,
            )
            bodies = [EXAMPLES[name], *MORE_EXAMPLES.get(name, {}).values()] if name in EXAMPLES else [None]
            forms = list(_forms(document, operation.get("requestBody")))
            for body in bodies:
                members = next((form for form in forms if form >= set(body or ())), set())
                assert bool(members) == (body is not None), name
                found.append(replace(plain, body=body, members=tuple(sorted(members))))
    return found


def _forms(document: dict[str, Any], body: Any) -> Iterator[set[str]]:
    """Names of the members of each form of a body."""
    forms = [] if body is None else [body["content"]["application/json"]["schema"]]
    for form in forms:
        if "$ref" in form:
            forms.append(document["components"]["schemas"][form["$ref"].rsplit("/", 1)[-1]])
        forms += form.get("oneOf", [])
        if "properties" in form:
            yield set(form["properties"])
