"""Content negotiation of probes and metrics, which offer more than the API's one JSON."""

from collections.abc import Iterable, Sequence

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from monitoring.media import preferred


class OfferNegotiation(BaseContentNegotiation):
    """The view's renderers are the offers, in the server's order of preference. Raises NotAcceptable."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        offers = {_bare(renderer): renderer for renderer in renderers}
        chosen = preferred(request.META.get("HTTP_ACCEPT", ""), list(offers)) or self.otherwise(list(offers))
        return offers[chosen], str(offers[chosen].media_type)

    def otherwise(self, offers: Sequence[str]) -> str:
        """The answer to an Accept header that allows none of the offers."""
        raise NotAcceptable


class ProbeNegotiation(OfferNegotiation):
    """A probe is never refused for its Accept header: a balancer would take a healthy host out."""

    def otherwise(self, offers: Sequence[str]) -> str:
        return offers[0]


def _bare(renderer: BaseRenderer) -> str:
    return str(renderer.media_type).partition(";")[0]
