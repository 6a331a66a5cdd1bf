"""What a management command said."""

from io import StringIO
from typing import Any

from django.core.management import call_command


def output_of(name: str, *arguments: Any, **options: Any) -> str:
    """Its standard output. Raises what the command raises."""
    out = StringIO()
    call_command(name, *map(str, arguments), stdout=out, **options)
    return out.getvalue()
