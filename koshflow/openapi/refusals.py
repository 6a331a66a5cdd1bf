"""Adds to every operation of the document the refusals it may answer with, and the examples that a test runs."""

from typing import Any

from koshflow.openapi.examples import EXAMPLES, MORE_EXAMPLES
from security.errors import CODES, Code

Document = dict[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")
_MEANING = {
    400: "The request is malformed or a field is wrong.",
    401: "No valid sign-in.",
    403: "Not allowed; or, on servers, asked over plain HTTP.",
    404: "Not found.",
    405: "Method not allowed.",
    406: "Only JSON is served.",
    408: "The request did not arrive in time.",
    409: "Conflicts with what is there.",
    411: "A body without a length.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "Only JSON is taken.",
    429: "Too many requests, or too many tries; see Retry-After.",
    500: "The service failed.",
    503: "Busy, or a part is away; see Retry-After.",
}
_EVERYWHERE = {400, 405, 406, 414, 500, 503}
_WITH_BODY = {408, 411, 413, 415}
# What single operations add to the rule.
_BY_OPERATION: dict[str, set[int]] = {
    "register": {409},
    "login": {401},
    "refresh": {401},
    "two_factor_setup": {409},
    "two_factor_verify": {409},
    "health_detailed": {401, 403},
    "metrics": {401, 403},
}


# The code that the example of a status shows: the first of the catalogue, but for these.
_SHOWN_CODE = {503: "SERVICE_UNAVAILABLE"}
_SHOWN_TO_STRANGERS = {403: "HTTPS_REQUIRED"}
_SHOWN_BY_OPERATION = {
    ("login", 401): "INVALID_CREDENTIALS",
    ("login", 429): "ACCOUNT_LOCKED",
    ("refresh", 401): "REFRESH_TOKEN_INVALID",
    ("two_factor_setup", 409): "2FA_ALREADY_ENABLED",
    ("two_factor_verify", 409): "2FA_ALREADY_ENABLED",
}


def problem_schema() -> Document:
    """The component `Problem`."""
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "A refusal (RFC 9457). Compare `code`; show `message`.",
        "required": [
            "type",
            "title",
            "status",
            "detail",
            "instance",
            "error",
            "message",
            "code",
            "requestId",
        ],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": text,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": text,
            "instance": text,
            "error": {"type": "string", "description": "Same as title."},
            "message": {"type": "string", "description": "Same as detail."},
            "code": {"type": "string", "enum": sorted(CODES)},
            "requestId": text,
            "details": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
        },
    }


def field_error_schema() -> Document:
    """The component `FieldError`."""
    properties = {
        "field": {"type": "string", "description": "The member as you sent it, dotted where nested."},
        "message": {"type": "string"},
        "code": {"type": "string"},
    }
    return {"type": "object", "required": sorted(properties), "properties": properties}


def add_refusals(result: Document, **_: Any) -> Document:
    """drf-spectacular post-processing hook."""
    schemas = result["components"].setdefault("schemas", {})
    schemas |= {"Problem": problem_schema(), "FieldError": field_error_schema()}
    result["components"]["examples"] = {name: {"value": _problem(code)} for name, code in CODES.items()}
    shared: dict[str, Document] = {}
    for path, item in result["paths"].items():
        for method in _METHODS:
            if method in item:
                _complete(item[method], shared, path=path, method=method)
    result["components"]["responses"] = dict(sorted(shared.items()))
    return result


def _complete(operation: Document, shared: dict[str, Document], *, path: str, method: str) -> None:
    """Add what is missing. Each refusal stands once, in `shared`: the page reads the whole document for each operation
    that is opened, and three fifths of it were the same refusals again.
    """
    statuses = _EVERYWHERE | _BY_OPERATION.get(operation["operationId"], set())
    if not path.startswith("/health"):  # probes may ask in plain
        statuses |= {403}
    if not path.startswith(("/health", "/metrics")):  # and as often as they like
        statuses |= {429}
    if operation.get("security") and {} not in operation["security"]:
        statuses |= {401}
    if method != "get":
        statuses |= _WITH_BODY
    if "{" in path:
        statuses |= {404}
    for status in sorted(statuses):
        code = _shown_code(operation, status)
        problem = {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "examples": {code: {"$ref": f"#/components/examples/{code}"}},
        }
        if answer := operation["responses"].get(str(status)):
            # A health answer is a document of its own on 503; the refusals of the layers above it stand beside it.
            answer.setdefault("content", {})["application/problem+json"] = problem
        else:
            shared[code] = {"description": _MEANING[status], "content": {"application/problem+json": problem}}
            operation["responses"][str(status)] = {"$ref": f"#/components/responses/{code}"}
    example = EXAMPLES.get(operation["operationId"])
    if example and "requestBody" in operation:
        operation["requestBody"]["content"]["application/json"] |= _examples(operation["operationId"], example)


def _shown_code(operation: Document, status: int) -> str:
    by_operation = _SHOWN_BY_OPERATION.get((operation["operationId"], status))
    of_strangers = None if operation.get("security") else _SHOWN_TO_STRANGERS.get(status)
    name = by_operation or of_strangers or _SHOWN_CODE.get(status)
    return name or next(code.name for code in CODES.values() if code.status == status)


def _problem(code: Code) -> Document:
    """What a refusal with `code` looks like."""
    return {
        "type": f"https://api.example.in/errors#{code.name.lower()}",
        "title": code.title,
        "status": code.status,
        "detail": code.detail,
        "instance": "/api/auth/me",
        "error": code.title,
        "message": code.detail,
        "code": code.name,
        "requestId": "0f8b6a1c2d3e4f5061728394a5b6c7d8",
    }


def _examples(operation_id: str, first: Document) -> Document:
    """`example`, or `examples` where there are several: OpenAPI allows one of the two."""
    more = MORE_EXAMPLES.get(operation_id)
    if not more:
        return {"example": first}
    return {"examples": {name: {"value": body} for name, body in {"simplest": first, **more}.items()}}
