"""A review in words: for mail, for the command. Pure."""

from typing import Any

from monitoring.reviews.models import PerformanceReview

_MOST_LISTED = 20


def subject_line(review: PerformanceReview) -> str:
    """What stands in the mail's subject."""
    worse = sum(route["regression"] for route in review.document["routes"])
    found = f"{worse} route{'' if worse == 1 else 's'} slower" if worse else "no route is slower"
    return f"Performance, week of {review.week}: {found}"


def plain_text(review: PerformanceReview) -> str:
    """All of it, regressions with what changed beside them."""
    said = review.document
    lines = [subject_line(review), f"{said['requests']} requests", ""]
    lines += [f"release {one['version']} first served at {one['since']}" for one in said["releases"]]
    for route in said["routes"][:_MOST_LISTED]:
        lines += _route(route)
    if len(said["routes"]) > _MOST_LISTED:
        lines.append(f"and {len(said['routes']) - _MOST_LISTED} more routes")
    return "\n".join(lines) + "\n"


def _route(route: dict[str, Any]) -> list[str]:
    mark = "SLOWER " if route["regression"] else ""
    times = f"p95 {_ms(route['p95'])}, in the four weeks before {_ms(route['before'])}"
    lines = [
        f"{mark}{route['method']} {route['route']}: {times}; {route['requests']} requests, {route['failed']:.2%} failed"
    ]
    for one in route.get("statements", ()):
        why = [word for word, is_so in (("its plan changed", one["planChanged"]), ("new", one["new"])) if is_so]
        why += [f"repeated by {one['repeats']} requests"] if one["repeats"] else []
        lines.append(
            f"  statement {one['fingerprint']} ({', '.join(why) or 'slow'}, mean {one['mean']} ms): {one['text']}"
        )
    return lines


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g} ms"
