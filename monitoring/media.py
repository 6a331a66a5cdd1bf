"""Which of the media types we offer an Accept header asks for (RFC 9110 section 12.5.1). Pure."""

from collections.abc import Sequence

_MAX_RANGES = 32


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """The best of the `offered` media types, None when `accept` allows none of them.

    Each offer gets the weight of the most specific range that covers it; the first offer wins a tie, so the order
    of `offered` is the server's preference. An empty header allows all.
    """
    ranges = [_parse(text) for text in accept.split(",")[:_MAX_RANGES] if text.strip()] or [("*/*", 1.0)]
    best, best_weight = None, 0.0
    for offer in offered:
        weight = _weight(offer, ranges)
        if weight > best_weight:
            best, best_weight = offer, weight
    return best


def _weight(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    for pattern in (offer, offer.split("/", maxsplit=1)[0] + "/*", "*/*"):
        weights = [weight for media_range, weight in ranges if media_range == pattern]
        if weights:
            return max(weights)
    return 0.0


def _parse(text: str) -> tuple[str, float]:
    media_range, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media_range, min(max(float(value), 0.0), 1.0)
            except ValueError:
                return media_range, 0.0
    return media_range, 1.0
