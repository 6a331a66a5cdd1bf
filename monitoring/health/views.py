"""The doors of the probes. They run nothing themselves: a frozen database must not hold a request."""

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.health.board import Verdict, board
from monitoring.health.documents import detailed_document, public_document
from monitoring.health.readings import Health
from monitoring.health.serializers import DetailedHealthSerializer, HealthSerializer, LiveSerializer
from monitoring.health.watcher import FAIL_TTL_SECONDS
from monitoring.negotiation import ProbeNegotiation
from monitoring.operators import OperatorView


class HealthJSONRenderer(JSONRenderer):
    """Only for those who ask for it: the draft behind the type has expired."""

    media_type = "application/health+json"
    format = "health"


class ProbeView(APIView):
    """A public view that reads neither body, cookie nor Authorization."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []
    http_method_names = ["get", "head"]
    renderer_classes = [JSONRenderer, HealthJSONRenderer]
    content_negotiation_class = ProbeNegotiation


class LiveView(ProbeView):
    """The process answers. It looks at nothing else: a restart mends no database."""

    @extend_schema(
        operation_id="health_live",
        summary="Ask whether this process answers",
        description="It looks at nothing else: a restart mends no database.",
        responses={200: LiveSerializer},
        tags=["health"],
    )
    def get(self, request: Request) -> Response:
        return Response({"status": Health.OK.value}, headers={"Cache-Control": "no-store"})


class ReadyView(ProbeView):
    """Whether this process can serve requests."""

    @extend_schema(
        operation_id="health_ready",
        summary="Ask whether this process can serve requests",
        description=(
            "Answers 503 while the database fails or lacks migrations, and from SIGTERM on while the server still "
            "serves; `degraded`, with 200, while a part is away that can be spared."
        ),
        responses={200: HealthSerializer, 503: HealthSerializer},
        tags=["health"],
    )
    def get(self, request: Request) -> Response:
        verdict = board.verdict()
        return _answer(verdict, public_document(verdict))


class HealthView(ReadyView):
    """Whether this process can serve requests, at the address that clients have always asked."""

    @extend_schema(
        operation_id="health",
        summary="Ask whether this process serves",
        description="At the address that clients have always asked; answers as `/health/ready` does.",
        responses={200: HealthSerializer, 503: HealthSerializer},
        tags=["health"],
    )
    def get(self, request: Request) -> Response:
        return super().get(request)


class DetailedView(OperatorView):
    """Every measurement of the probes, for operators."""

    renderer_classes = [JSONRenderer, HealthJSONRenderer]
    content_negotiation_class = ProbeNegotiation

    @extend_schema(
        operation_id="health_detailed",
        summary="Read every measurement of the probes",
        description=(
            "For operators: round trips, migrations, disk, schedule, outbox, clock, replicas, relay, backups and audit."
        ),
        responses={200: DetailedHealthSerializer, 503: DetailedHealthSerializer},
        tags=["health"],
    )
    def get(self, request: Request) -> Response:
        verdict = board.verdict(is_thorough=True)
        return _answer(verdict, detailed_document(verdict, version=settings.VERSION))


def _answer(verdict: Verdict, document: dict[str, object]) -> Response:
    headers = {"Cache-Control": "no-store"}
    if verdict.health is Health.UNAVAILABLE:
        headers["Retry-After"] = str(int(FAIL_TTL_SECONDS))
        return Response(document, status=503, headers=headers)
    return Response(document, headers=headers)
