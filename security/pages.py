"""Cursor pages of every list: newest first, `{results, next, previous}`."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from security.errors import FieldError, ValidationFailed


class NewestFirst(CursorPagination):
    """Keyset pages by creation time: the thousandth page costs what the first does.

    Raises ValidationFailed for a cursor we did not make, or a page size that is no number from 1 to 100.
    """

    ordering = ("-created_at", "-pk")
    page_size = 25
    max_page_size = 100
    page_size_query_param = "pageSize"
    page_size_query_description = "From 1 to 100; 25 where it is left out."
    cursor_query_param = "cursor"
    cursor_query_description = "From `next` of the page before."

    def get_page_size(self, request: Request) -> int | None:
        text = request.query_params.get(self.page_size_query_param)
        if text is None:
            return self.page_size
        if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= self.max_page_size):
            raise ValidationFailed([FieldError("pageSize", "Use a number from 1 to 100.", "out_of_range")])
        return int(text)

    def decode_cursor(self, request: Request) -> Any:
        try:
            cursor = super().decode_cursor(request)
        except NotFound as error:
            raise foreign_cursor() from error
        if cursor is not None:
            # The stock reader passes over what it does not know, and answers rubbish with the first page.
            ours = parse_qs(urlsplit(self.encode_cursor(cursor)).query).get(self.cursor_query_param)
            is_ours = ours == [request.query_params[self.cursor_query_param]]
            if not is_ours or not (cursor.position is None or self.is_position(str(cursor.position))):
                raise foreign_cursor()
        return cursor

    def is_position(self, text: str) -> bool:
        """Whether `text` can be what a page of this order ends with. Raises ValueError where it is no real time."""
        moment = parse_datetime(text)
        return moment is not None and moment.tzinfo is not None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (DjangoValidationError, ValueError, OverflowError) as error:
            # A well-formed cursor whose position is no time: only its maker could have meant it.
            raise foreign_cursor() from error

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        # The stock one says `nullable`, which OpenAPI 3.1 does not know: a client made from it broke on the last page.
        link = {"type": ["string", "null"], "format": "uri"}
        members = {"results": schema, "next": link, "previous": link}
        return {"type": "object", "properties": members, "required": sorted(members)}


def foreign_cursor() -> ValidationFailed:
    """The refusal of a cursor that no page of ours ended with."""
    return ValidationFailed([FieldError("cursor", "This cursor is not one of ours.", "cursor")])
