"""What the routes of exports ask for and show."""

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers

from accounts.audit.exports import FORMS
from accounts.audit.models import AuditExport
from accounts.audit.serializers import MomentField, TextField, WordField
from accounts.audit.years import FinancialYear
from accounts.identity.documents import rfc3339


class CreateExportSerializer(serializers.Serializer[Any]):
    """Either `financialYear`, 1 April to 31 March in India, or `from` and `to`, of which `to` itself is left out."""

    financialYear = TextField(required=False, help_text="Such as 2026-27.")  # noqa: N815 - the wire's name
    to = MomentField(required=False)
    format = WordField(choices=list(FORMS))

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's.
        return {"from": MomentField(required=False), **super().get_fields()}

    def validate_financialYear(self, text: str) -> FinancialYear:  # noqa: N802 - named for its field
        try:
            year = FinancialYear.parse(text)
        except ValueError as error:
            raise serializers.ValidationError(f"{str(error).capitalize()}.", code="invalid") from error
        if year.since > timezone.now():
            raise serializers.ValidationError("This financial year has not begun.", code="not_begun")
        return year

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        ends = [attrs[name] for name in ("from", "to") if name in attrs]
        if "financialYear" in attrs and ends:
            message = "Give a financial year, or from and to, and not both."
            raise serializers.ValidationError({"financialYear": message}, code="ambiguous")
        if "financialYear" in attrs:
            return attrs
        for name in ("from", "to") if ends else ("financialYear",):
            if name not in attrs:
                raise serializers.ValidationError({name: "This field is required."}, code="required")
        if ends[0] >= ends[1]:
            raise serializers.ValidationError({"to": "Give a time after from."}, code="order")
        return attrs

    def asked(self) -> dict[str, Any]:
        """What a valid form asks for, as arguments of `create_export`."""
        told = self.validated_data
        year: FinancialYear | None = told.get("financialYear")
        since: datetime = year.since if year else told["from"]
        return {"form": told["format"], "year": year, "since": since, "until": year.until if year else told["to"]}


class ExportSerializer(serializers.Serializer[AuditExport]):
    """An export. `size` is how many events the log had, `checkpoint` the signed text over them; `url` is the file's."""

    id = serializers.UUIDField()
    format = serializers.ChoiceField(choices=list(FORMS))
    financialYear = serializers.CharField(allow_null=True)  # noqa: N815
    to = serializers.DateTimeField()
    size = serializers.IntegerField()
    checkpoint = serializers.CharField()
    createdAt = serializers.DateTimeField()  # noqa: N815
    url = serializers.URLField()

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateTimeField(), **super().get_fields()}

    def to_representation(self, instance: AuditExport) -> dict[str, Any]:
        path = reverse("audit:export-file", args=[instance.pk])
        return {
            "id": str(instance.pk),
            "format": instance.form,
            "financialYear": instance.financial_year or None,
            "from": rfc3339(instance.since),
            "to": rfc3339(instance.until),
            "size": instance.checkpoint.size,
            "checkpoint": instance.checkpoint.note,
            "createdAt": rfc3339(instance.created_at),
            "url": self.context["request"].build_absolute_uri(path),
        }
