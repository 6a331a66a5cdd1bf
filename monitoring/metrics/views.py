"""The door of /metrics: one snapshot in the form that was asked for."""

import json
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.metrics.exposition import Snapshot
from monitoring.negotiation import OfferNegotiation
from monitoring.operators import OperatorView


class SampleSerializer(serializers.Serializer[Any]):
    """One number and its labels."""

    labels = serializers.DictField(child=serializers.CharField())
    value = serializers.FloatField(allow_null=True)


class MetricsSerializer(serializers.Serializer[Any]):
    """The numbers of the text format, by sample name."""

    process = serializers.DictField(child=SampleSerializer(many=True))
    system = serializers.DictField(child=SampleSerializer(many=True))
    application = serializers.DictField(child=SampleSerializer(many=True))


class TextRenderer(BaseRenderer):
    """Prometheus text, the default."""

    media_type = "text/plain; version=0.0.4"
    format = "text"
    charset = "utf-8"

    def render(self, data: Snapshot, *_asked: Any, **_more: Any) -> str:
        return data.text()


class OpenMetricsRenderer(BaseRenderer):
    """OpenMetrics, for scrapers that prefer it."""

    media_type = "application/openmetrics-text; version=1.0.0"
    format = "openmetrics"
    charset = "utf-8"

    def render(self, data: Snapshot, *_asked: Any, **_more: Any) -> str:
        return data.openmetrics()


class DocumentRenderer(BaseRenderer):
    """One JSON object, for people and scripts."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Snapshot, *_asked: Any, **_more: Any) -> bytes:
        return json.dumps(data.document()).encode()


class MetricsView(OperatorView):
    """What all processes of this machine have counted since the server started, and how the machine is."""

    renderer_classes = [TextRenderer, OpenMetricsRenderer, DocumentRenderer]
    content_negotiation_class = OfferNegotiation

    @extend_schema(
        operation_id="metrics",
        summary="Read what was counted",
        description=(
            "For operators: all processes of this machine since the server started, and how the machine is. "
            "Prometheus text, OpenMetrics or JSON, by `Accept`."
        ),
        responses={
            (200, "text/plain"): OpenApiTypes.STR,
            (200, "application/openmetrics-text"): OpenApiTypes.STR,
            (200, "application/json"): MetricsSerializer,
        },
        tags=["health"],
    )
    def get(self, request: Request) -> Response:
        return Response(Snapshot(), headers={"Cache-Control": "no-store"})
