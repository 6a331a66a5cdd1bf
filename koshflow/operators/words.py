"""Words of the operators' pages for numbers and moments. A library of template filters."""

from datetime import UTC, datetime

from django import template
from django.utils.formats import date_format
from django.utils.timezone import localtime

register = template.Library()


@register.filter
def shortly(value: float | None) -> str:
    """`value` in three digits that mean something: 1.2k, 340, 0.07; a dash for what is not known."""
    if value is None:
        return "–"
    size = abs(value)
    for unit, factor in (("M", 1e6), ("k", 1e3)):
        if size >= 10 * factor or (unit == "M" and size >= factor):
            return f"{value / factor:.3g}{unit}"
    return f"{value:,.0f}" if size >= 100 else f"{value:.3g}"


@register.filter
def counted(number: int) -> str:
    """How many, all digits of it: 1,019,902."""
    return f"{number:,}"


@register.filter
def took(milliseconds: float) -> str:
    """A time in the units in which people think of it: 340 ms, 12.3 s, 6 min 26 s, 3 h 5 min."""
    if milliseconds < 10_000:
        return f"{shortly(milliseconds)} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole, size, part = ("h", 3600, "min") if seconds >= 3600 else ("min", 60, "s")
    return f"{seconds // size:,.0f} {whole} {seconds % size * 60 // size:.0f} {part}"


@register.filter
def moment(at: float, form: str) -> str:
    """The Unix time `at` in the time zone of staff."""
    return date_format(localtime(datetime.fromtimestamp(at, UTC)), form)


@register.filter
def written(iso: str, form: str) -> str:
    """A moment that was kept as text, likewise."""
    return moment(datetime.fromisoformat(iso).timestamp(), form)


@register.filter
def part(ratio: float) -> str:
    """A ratio in percent."""
    return f"{ratio:.2%}"
