"""What may stand in a query about events, and below /api/audit the refusal of anything else."""

import re
from collections.abc import Collection
from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView

from security.errors import FieldError, ValidationFailed
from security.pages import NewestFirst

PAGES = (NewestFirst.cursor_query_param, NewestFirst.page_size_query_param)
# As all of ours are written. What somebody put there by mistake, such as a token, is not told back.
_NAME = re.compile(r"[A-Za-z_]{1,24}", re.ASCII)
_MOST_DIGITS = 18


def row_id(text: str) -> int | None:
    """The row id of an event that `text` writes; None where it writes none that a database can hold."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_number else None


class StrictQuery(APIView):
    """A door that takes the parameters it knows alone: by a misspelt filter an auditor would be shown everything."""

    def parameters(self) -> Collection[str]:
        """Names that the query may hold."""
        return ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        unknown = request.query_params.keys() - set(self.parameters())
        if unknown:
            fields = sorted({name if _NAME.fullmatch(name) else "" for name in unknown})
            raise ValidationFailed([FieldError(name, "There is no such parameter.", "unknown") for name in fields])
