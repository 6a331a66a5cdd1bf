"""The door to one's company. There is no id in the path: nobody can ask for another's."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.company.serializers import UpdateCompanySerializer
from accounts.company.services import update_company
from accounts.identity.documents import company_document
from accounts.identity.models import Company
from accounts.identity.serializers import CompanySerializer
from accounts.sessions.authentication import own_session
from security.errors import NotFound
from security.rbac import Permission, needs


def own_company(request: Request) -> Company:
    """The signed-in person's company. Raises NotFound for staff, who have none."""
    company = own_session(request).user.company
    if company is None:
        raise NotFound
    return company


class CompanyView(APIView):
    """Your company."""

    def get_permissions(self) -> list[Any]:
        wanted = Permission.COMPANY_MANAGE if self.request.method == "PATCH" else Permission.COMPANY_VIEW
        return [needs(wanted)()]

    @extend_schema(
        operation_id="company",
        summary="Read your company",
        description="`phone`, `gstin` and `pan` are whole for ADMIN and ACCOUNTANT, and masked for other roles.",
        responses={200: CompanySerializer},
        tags=["company"],
    )
    def get(self, request: Request) -> Response:
        return Response(company_document(own_company(request), viewer=own_session(request).user))

    @extend_schema(
        operation_id="company_update",
        summary="Change your company's name or phone",
        description="A member left out stays; a blank or null phone is removed. GSTIN, PAN and e-mail stay.",
        request=UpdateCompanySerializer,
        responses={200: CompanySerializer},
        tags=["company"],
    )
    def patch(self, request: Request) -> Response:
        form = UpdateCompanySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        session = own_session(request)
        company = update_company(session=session, changes=form.validated_data)
        return Response(company_document(company, viewer=session.user))
