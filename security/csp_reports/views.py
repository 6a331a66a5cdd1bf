"""`POST /csp-report`: the door for browsers' reports. Open to everybody: a browser sends them without credentials."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from security.csp_reports.bodies import read_report_body
from security.csp_reports.reports import read_violations
from security.csp_reports.services import note_violations, page_template


class CspReportView(APIView):
    """Takes a report of at most 8 kB, keeps no more of it than which rule stopped which origin on which page."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    # The bodies are the browser's own (CSP Level 3 §5.3, Reporting API §3.3), and no client of ours sends one.
    @extend_schema(
        operation_id="csp_report",
        summary="Register what a browser blocked",
        description=(
            "For browsers, which learn of this address from every answer: `application/csp-report` or "
            "`application/reports+json`, at most 8 kB. It is counted, not kept."
        ),
        request=None,
        responses={204: None},
        tags=["security"],
    )
    def post(self, request: Request) -> Response:
        media_type, body = read_report_body(request._request)
        note_violations(read_violations(body, media_type=media_type, place=page_template))
        return Response(status=204)
