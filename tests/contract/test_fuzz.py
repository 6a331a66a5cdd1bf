"""The running API against its own document: no undocumented status or shape, and never a 500 (schemathesis).

KOSHFLOW_FUZZ_EXAMPLES sets the cases an operation; the routine run is short, the long one takes 200.
"""

import os
from http.cookiejar import DefaultCookiePolicy

import pytest
import requests
import schemathesis
from django.core.servers.basehttp import WSGIRequestHandler
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.login.services import sign_in
from tests.factories import asha

# Refused before any rule of ours was asked: nothing of the caller's can have changed.
FORM = {"VALIDATION_FAILED", "MALFORMED_JSON", "MALFORMED_REQUEST", "REPEATED_PARAMETER", "DUPLICATE_KEY"}
EXAMPLES = int(os.environ.get("KOSHFLOW_FUZZ_EXAMPLES", "3"))
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance, not_a_server_error]


schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))


class Caller:
    """Asha, signed in; a fresh one after each case that may have changed something of hers, for they cost the most.

    Her connection is kept: each new one is a thread of the server's, and with it a connection to the database.
    """

    def __init__(self, connection: requests.Session):
        self.signed_in = ""
        self.connection = connection

    def token(self) -> str:
        self.signed_in = self.signed_in or sign_in(user=asha(), amr="pwd").tokens.access
        return self.signed_in

    def was_answered(self, case, response) -> None:
        is_read = case.method in ("GET", "HEAD") and response.status_code == 200
        is_form = response.status_code in (404, 405, 415)
        is_form = is_form or (response.status_code == 400 and response.json()["code"] in FORM)
        if not (is_read or is_form):
            self.signed_in = ""


@pytest.fixture
def caller(transactional_db, monkeypatch):
    # The server sends an answer in pieces, of which the second would wait 40 ms for word that the first came.
    monkeypatch.setattr(WSGIRequestHandler, "disable_nagle_algorithm", True)
    with requests.Session() as connection:
        connection.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield Caller(connection)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_answers_as_documented(caller, live_server, case):
    headers = {"Authorization": f"Bearer {caller.token()}"}
    response = case.call(base_url=live_server.url, session=caller.connection, headers=headers)
    # A full hashing queue is a documented 503, not a failure of the server.
    checks = CHECKS[:-1] if response.status_code == 503 else CHECKS
    case.validate_response(response, checks=checks)
    caller.was_answered(case, response)
